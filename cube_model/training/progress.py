"""Progress of a training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Progress:
    """Progress of a training; stored in every checkpoint.

    Attributes:
        history: Validation figures and mean training loss, one entry per epoch; entry 0 is the untrained core.
        best_epoch: Index of the best entry.
        seconds: Duration of the training, with that of the runs it was resumed from.
        batches: Number of batches done by each process.
        batches_of_epoch: Number of batches done in the current epoch.
        loss_sum: Sum of this process's losses of those batches.
        finished: Nothing is left to train.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    seconds: float = 0.0
    batches: int = 0
    batches_of_epoch: int = 0
    loss_sum: float = 0.0
    finished: bool = False

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return max(0, len(self.history) - 1)
