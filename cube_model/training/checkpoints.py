"""Checkpoints of a run: whole or not there, and refused by a run with other arguments."""

from __future__ import annotations

import dataclasses
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cube_model.errors import ModelError
from dataset_builders.common.files import needs_room, synchronise

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass
class Progress:
    """Where a run stands; written into every checkpoint.

    Attributes:
        epoch: Epochs done.
        step: Batches done in the epoch under way.
        loss_sum: Sum of this process's losses of those batches.
        history: One entry an epoch; entry 0 is the untrained core.
        best_epoch: Epoch that was best in validation so far.
        seconds: Spent on training by this and the interrupted runs.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    seconds: float = 0.0


class Checkpoints:
    """The checkpoints in one working folder; only the last one is kept.

    Args:
        folder: The working folder.
        facts: Arguments of the run: a run goes on only from a checkpoint with the same.
    """

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self.folder, self.facts = folder, facts

    def __len__(self) -> int:
        return len(self._all())

    def save(self, accelerator: Accelerator, progress: Progress, best_weights: dict[str, Any]) -> None:
        """Write aside and rename. Earlier ones are then removed. Every process calls it.

        Raises:
            ModelError: The disk is full.
        """
        with needs_room(self.folder, "go on with --resume", ModelError):
            self._save(accelerator, progress, best_weights)

    def _save(self, accelerator: Accelerator, progress: Progress, best_weights: dict[str, Any]) -> None:
        import torch
        from safetensors.torch import save_file

        # the other figures are equal in all processes
        own = torch.tensor([progress.loss_sum], dtype=torch.float64, device=accelerator.device)
        loss_sums = accelerator.gather(own).tolist()
        final = self.folder / f"checkpoint-{progress.epoch:05d}-{progress.step:08d}"
        aside = self.folder / f".{final.name}"
        if accelerator.is_main_process:
            shutil.rmtree(aside, ignore_errors=True)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(aside), safe_serialization=True)
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            save_file(best_weights, aside / "best.safetensors")
            record = {
                "progress": dataclasses.asdict(progress),
                "loss_sums": loss_sums,
                "facts": self._facts(accelerator),
            }
            (aside / "progress.json").write_text(json.dumps(record), encoding="utf-8")
            earlier = self._all()
            shutil.rmtree(final, ignore_errors=True)
            synchronise(aside)
            aside.rename(final)
            synchronise(self.folder, below=False)
            for path in earlier:
                if path != final:
                    shutil.rmtree(path, ignore_errors=True)
        accelerator.wait_for_everyone()

    def load(self, accelerator: Accelerator) -> tuple[Progress, dict[str, Any]] | None:
        """Put everything back as it was; None when there is no checkpoint.

        Raises:
            ModelError: It is of a run with other arguments, data or number of processes.
        """
        from safetensors.torch import load_file

        found = self._all()
        if not found:
            return None
        record = json.loads((found[-1] / "progress.json").read_text(encoding="utf-8"))
        # through JSON, as a tuple comes back as a list
        then, now = record["facts"], json.loads(json.dumps(self._facts(accelerator)))
        for key in now:
            if now[key] != then.get(key):
                raise ModelError(
                    f"cannot resume {self.folder}: {key.replace('_', '-')} was {then.get(key)}, now {now[key]}; "
                    "use the same or pass --overwrite to start again"
                )
        accelerator.load_state(str(found[-1]))
        progress = Progress(**{**record["progress"], "loss_sum": record["loss_sums"][accelerator.process_index]})
        return progress, load_file(found[-1] / "best.safetensors")

    def _all(self) -> list[Path]:
        return sorted(self.folder.glob("checkpoint-*"))

    def _facts(self, accelerator: Accelerator) -> dict[str, Any]:
        return {
            **self.facts,
            "processes": accelerator.num_processes,
            "precision used": accelerator.mixed_precision,
        }
