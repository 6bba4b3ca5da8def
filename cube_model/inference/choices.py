"""Allowed values that commands show in their help, so nothing heavy is imported here."""

from __future__ import annotations

from typing import Literal, get_args

SearchKind = Literal["auto", "exact", "graph", "lists"]
"""`graph`, in memory, and `lists`, on disk, are fast for millions of answers and may miss some; `auto` is exact up to a
million, and takes lists above four million."""

SEARCH_KINDS: tuple[SearchKind, ...] = get_args(SearchKind)

ExportFormat = Literal["sentence-transformers", "onnx", "openvino", "torchscript"]
"""`sentence-transformers` needs torch; the others are one graph each, which runs with a library of its own."""
