"""Configuration of the 3D cubic core.

Uploaded with the weights, so it imports nothing else from this project.
"""

from __future__ import annotations

from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig


def cubic_lattice(cells: int) -> list[int]:
    """Factor `cells` into three sides as close to a cube as possible: those with the smallest sum.

    Sides are in ascending order, except that a repeated side comes first.

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
    """Shape of a core, with a record of its teacher and training data.

    Args:
        mode: `"dialogue"` maps a question's embedding to the answer's; `"autoencoder"` compresses an embedding to a
            short code and restores it.
        embedding_dim: Dimension of the teacher's embeddings, equal to the number of cells.
        lattice_size: Sides x, y, z, with `embedding_dim` as their product. Default: `cubic_lattice(embedding_dim)`.
        steps: Number of recurrent steps. All steps share their weights.
        global_units: Number of units connected to every cell. With this and `plane_units` at their defaults, a core
            that maps questions and answers has slightly fewer parameters than a full matrix of its dimension.
        plane_units: Number of units per lattice plane, connected to the cells of that plane. Every cell lies in three
            planes, so these units link it to its neighbours.
        cell_channels: Hidden channels of the rule that compares a cell's state with the context; 0 disables it.
        context_turns: Maximum number of earlier turns, one extra input channel per cell each; 0 reads the question
            only.
        map_answers: Whether to map answers too, with shared read weights and separate write weights.
        code_size: Dimension of the autoencoder's code. Default: an eighth of `embedding_dim`.
        initializer_range: Standard deviation of the initial read weights, as a multiple of 1 / sqrt(number of inputs).
        teacher: Name, pooling, prefix, dtype and fingerprint of the teacher whose embeddings trained the core.
        training: Fingerprint, number and sources of the training pairs, and the seed.

    Example:
        >>> CubeConfig(embedding_dim=768).lattice_size
        [8, 8, 12]
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

    @property
    def custom_pipelines(self) -> dict[str, Any]:
        """Pipelines of this repository, for `transformers.pipeline`; a new dictionary, since that changes it."""
        return {"feature-extraction": {"impl": "pipeline_cube.CubeFeatureExtraction", "pt": ["AutoModel"]}}

    def validate_lattice(self) -> None:
        """Check that every count is in range and that the lattice has one cell per embedding dimension."""
        for name, minimum in (
            ("embedding_dim", 1),
            ("steps", 1),
            ("global_units", 0),
            ("plane_units", 0),
            ("cell_channels", 0),
            ("context_turns", 0),
        ):
            if getattr(self, name) < minimum:
                raise ValueError(f"{name} is {getattr(self, name)}: expected at least {minimum}")
        if not self.global_units and not self.plane_units:
            raise ValueError("global_units and plane_units are both 0: cells cannot exchange information")
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
