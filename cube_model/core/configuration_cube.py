"""Configuration of the 3D cubic core. Uploaded next to the weights: it imports nothing of this project."""

from __future__ import annotations

from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig


def cubic_lattice(cells: int) -> list[int]:
    """The factorisation of `cells` into three sides that is nearest to a cube, sides in ascending order but the last.

    Nearest: the smallest sum of sides. Of 384 that is 6 x 8 x 8, of 768 it is 8 x 8 x 12; a side that occurs twice
    comes first, so that they read 8 x 8 x 6 and 8 x 8 x 12.

    >>> cubic_lattice(384), cubic_lattice(768), cubic_lattice(1024)
    ([8, 8, 6], [8, 8, 12], [8, 8, 16])
    """
    best: list[int] = []
    for x in range(1, round(cells ** (1 / 3)) + 1):
        if cells % x:
            continue
        rest = cells // x
        y = next(y for y in range(int(rest**0.5), 0, -1) if rest % y == 0)
        sides = [x, y, rest // y]
        if not best or sum(sides) < sum(best):
            best = sides
    return sorted(best, key=lambda side: (-best.count(side), side))


@strict
class CubeConfig(PreTrainedConfig):
    """Shape of a core and what it was trained with.

    Args:
        mode: `"dialogue"`: a question's vector becomes the answer's. `"autoencoder"`: a vector goes through a short
            code and back.
        embedding_dim: Length of the teacher's vectors = number of cells.
        lattice_size: Sides x, y, z; their product is `embedding_dim`. Chosen by `cubic_lattice` when not given.
        steps: Times the one cell rule is applied; its weights are the same in every step.
        global_units: Units that every cell reads and writes. When neither they nor `plane_units` are given, a core that
            maps both sides has a little fewer parameters than a full matrix of its dimension.
        plane_units: Units of each plane of the lattice, read and written by the cells of that plane: a cell meets
            those of the three planes it lies in, so this is how cells talk to their neighbours.
        cell_channels: Hidden channels of the rule by which a cell weighs its state against the earlier turns; 0: none.
        context_turns: Earlier turns that enter as further input channels of the cells; 0: the question only.
        map_answers: The answer side is mapped too: read with the same weights, written with weights of its own.
        code_size: Numbers in the code of an autoencoder; an eighth of `embedding_dim` when not given.
        teacher: Name, pooling, prefix, dtype and fingerprint of the teacher whose vectors the core was trained on.
        training: Fingerprint, number and sources of the pairs it was trained on, and the seed.
    """

    model_type = "cube"

    mode: str = "dialogue"
    embedding_dim: int = 384
    lattice_size: list[int] | tuple[int, ...] | None = None
    steps: int = 1
    global_units: int | None = None
    plane_units: int | None = None
    cell_channels: int = 4
    context_turns: int = 0
    map_answers: bool = True
    code_size: int | None = None
    initializer_range: float = 1.0
    teacher: dict[str, Any] | None = None
    training: dict[str, Any] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        if self.lattice_size is None and self.embedding_dim > 0:
            self.lattice_size = cubic_lattice(self.embedding_dim)
        elif self.lattice_size is not None:
            self.lattice_size = list(self.lattice_size)
        if self.plane_units is None:
            self.plane_units = self.embedding_dim // 48
        if self.global_units is None:
            self.global_units = max(1, self.embedding_dim * 49 // 192)
        if self.mode == "autoencoder" and self.code_size is None:
            self.code_size = max(1, self.embedding_dim // 8)
        super().__post_init__(**kwargs)

    def validate_lattice(self) -> None:
        """The lattice holds exactly one cell a dimension, and all counts make sense."""
        for name, least in (
            ("embedding_dim", 1),
            ("steps", 1),
            ("global_units", 0),
            ("plane_units", 0),
            ("cell_channels", 0),
            ("context_turns", 0),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: expected at least {least}")
        if not self.global_units and not self.plane_units:
            raise ValueError("global_units and plane_units are both 0: cells could not exchange anything")
        if self.mode not in ("dialogue", "autoencoder"):
            raise ValueError(f"mode is {self.mode!r}: expected 'dialogue' or 'autoencoder'")
        if self.mode == "autoencoder" and not 1 <= (self.code_size or 0) <= self.embedding_dim:
            raise ValueError(f"code_size is {self.code_size}: expected 1 to embedding_dim = {self.embedding_dim}")
        sides = self.lattice_size or []
        x, y, z = sides if len(sides) == 3 else (0, 0, 0)
        if min(x, y, z) < 1 or x * y * z != self.embedding_dim:
            raise ValueError(
                f"lattice_size {' x '.join(map(str, sides))} has {x * y * z} cells: expected three sides whose product "
                f"is embedding_dim = {self.embedding_dim}, for example {cubic_lattice(self.embedding_dim)}"
            )
