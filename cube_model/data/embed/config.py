"""Configuration of `dialogue-cube embed`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cube_model.errors import ModelError
from cube_model.teacher.find import DEFAULT_TEACHER
from dataset_builders.common.options import Options, option

DataConfig = Literal["pairs", "dialogues", "downstream"]


@dataclass
class EmbedConfig(Options, error=ModelError):
    """Vectors of the texts of a dataset, written to a folder that every other command reads."""

    data: str = option(help="Dataset: folder written by `dialogue-cube build`, or Hub repository.")
    out: str = option(help="Folder to write, which appears complete, at the end.", in_result=False)
    teacher: str = option(DEFAULT_TEACHER, "Frozen text encoder: short name, folder or Hub repository.")
    configs: tuple[DataConfig, ...] = option(
        ("pairs",), "Configs whose texts are encoded.", flags=("--config",), aliases=("--configs",)
    )
    teacher_dtype: Literal["auto", "float32", "bfloat16", "float16"] = option(
        "auto", "Precision of the teacher; auto: bfloat16 where the hardware computes in it natively."
    )
    precision: Literal["float32", "float16"] = option(
        "float32", "Precision of the stored vectors; float16 halves the disk space and rounds by up to 0.05 %."
    )
    device: Literal["auto", "cpu", "cuda", "mps", "xpu", "npu", "hpu"] = option(
        "auto", "Kind of device of the teacher; auto: a graphics card where there is one.", in_result=False
    )
    gpus: float = option(
        0.0, "GPUs of each task on a Ray cluster; several tasks share one below 1.", low=0, in_result=False
    )
    overwrite: bool = option(
        False, "Replace earlier vectors, and discard an interrupted run with other arguments.", in_result=False
    )
    progress: bool = option(True, "Show progress bars; --quiet hides them.", flags=(" /--quiet",), in_result=False)
