"""Files beside the data of an export, a dataset or a program, recognised by their names and by what is beside them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_NOTE = re.compile(
    r"(readme|license|licence|changelog|changes|copying|notice|contributing|authors|citation)"
    r"([-_. ][\w-]*)?(\.(txt|md|rst|markdown|cff))?",
    re.IGNORECASE,
)
_DATASETS = "describes a dataset of the library `datasets`"
_SLACK = "a list of a Slack export, not messages"
_AGENT = "settings of a Dialogflow agent"
_RASA = "settings of a Rasa assistant"
_PROGRAM = "settings of a program"
_MODEL = "belongs to a model"

_ALWAYS = {
    "dataset_info.json": _DATASETS,
    "dataset_infos.json": _DATASETS,
    "dataset_dict.json": _DATASETS,
    "channels.json": _SLACK,
    "dms.json": _SLACK,
    "mpims.json": _SLACK,
    "integration_logs.json": _SLACK,
    "agent.json": _AGENT,
    "package.json": _PROGRAM,
    "package-lock.json": _PROGRAM,
    "pnpm-lock.yaml": _PROGRAM,
    "tsconfig.json": _PROGRAM,
    "docker-compose.yml": _PROGRAM,
    "docker-compose.yaml": _PROGRAM,
    "mkdocs.yml": _PROGRAM,
    "requirements.txt": _PROGRAM,
    "tokenizer.json": _MODEL,
    "tokenizer_config.json": _MODEL,
    "special_tokens_map.json": _MODEL,
    "generation_config.json": _MODEL,
    "credentials.yml": _RASA,
    "endpoints.yml": _RASA,
    "robots.txt": "is for search engines",
    "seq.out": "slots; the utterances are in seq.in",
}
"""Names in lower case -> the reason for which such a file is skipped wherever it is."""

_BESIDE = {
    "state.json": (r".*\.arrow|dataset_info\.json", _DATASETS),
    "users.json": (r"(channels|groups|dms|mpims|integration_logs)\.json", _SLACK),
    "org_users.json": (r"users\.json", _SLACK),
    "groups.json": (r"(users|channels)\.json", _SLACK),
    "canvases.json": (r"(users|channels)\.json", _SLACK),
    "file_conversations.json": (r"(users|channels)\.json", _SLACK),
    "huddle_transcripts.json": (r"(users|channels)\.json", _SLACK),
    "lists.json": (r"(users|channels)\.json", _SLACK),
    "config.json": (r".*\.(safetensors|bin|onnx|gguf)|tokenizer.*\.json", _MODEL),
    "vocab.json": (r"merges\.txt|tokenizer.*\.json", _MODEL),
    "merges.txt": (r"vocab\.json|tokenizer.*\.json", _MODEL),
    "vocab.txt": (r"tokenizer.*\.json", _MODEL),
    "config.yml": (r"domain\.ya?ml|endpoints\.ya?ml", _RASA),
    "domain.yml": (r"config\.ya?ml|endpoints\.ya?ml", _RASA),
}
"""Ambiguous names -> a pattern of names in the same folder with which such a file is no data, and the reason."""


def not_data(name: str, names: frozenset[str]) -> str:
    """Why a file is evidently not data; empty for any other file.

    Args:
        name: Its name, with folders.
        names: Names of all files.
    """
    place = PurePosixPath(name)
    base, folder = place.name.lower(), place.parent
    if _NOTE.fullmatch(base):
        return "a note about the data by its name"
    if base in _ALWAYS:
        return _ALWAYS[base]
    if base.endswith((".lock", ".code-workspace")):
        return _PROGRAM
    if base.startswith("cache-") and base.endswith(".arrow") and (folder / "state.json").as_posix() in names:
        return "a cache of the library `datasets`"
    if folder.name == "entities" and (folder.parent / "agent.json").as_posix() in names:
        return "entities of a Dialogflow agent"
    if base in _BESIDE:
        pattern, reason = _BESIDE[base]
        beside = (PurePosixPath(n).name.lower() for n in names if PurePosixPath(n).parent == folder)
        if any(re.fullmatch(pattern, n) for n in beside):
            return reason
    if place.suffix.lower() in (".html", ".htm"):
        return "a web page; export as JSON or text instead"
    if place.suffix.lower() in (".docx", ".doc", ".odt", ".rtf", ".pptx", ".pdf", ".epub"):
        return "a document; save it as CSV, or as plain text"
    return ""
