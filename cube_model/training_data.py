"""What a run trains on: pairs of the train split, pairs to choose the best epoch by, and batches of their vectors."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.errors import ModelError
from cube_model.question_answer_data import NoPairsError, QuestionAnswerPairs, load_pairs, split_names
from cube_model.training_config import TrainingConfig

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

logger = logging.getLogger(__name__)


def load_training_pairs(config: TrainingConfig) -> tuple[QuestionAnswerPairs, QuestionAnswerPairs]:
    """Pairs of the train split and pairs to choose the best epoch by; the test split is never read.

    Without a validation split (or without one of the chosen sources) a tenth of the training dialogues is held out.
    """
    options: dict[str, Any] = {"context_turns": config.context_turns, "seed": config.seed}
    splits = split_names(config.data)
    if "train" not in splits:
        raise ModelError(f"{config.data}: the pairs config has no train split, only {', '.join(splits)}")
    train = load_pairs(config.data, "train", sources=config.sources, max_pairs=config.max_pairs, **options)
    if "validation" in splits:
        try:
            limit = config.max_validation_pairs
            return train, load_pairs(config.data, "validation", sources=config.sources, max_pairs=limit, **options)
        except NoPairsError:
            pass
    dialogues = np.unique(train.dialogues)
    if len(dialogues) < 2:
        raise ModelError(f"{config.data}: no validation pairs, and one training dialogue cannot be divided")
    logger.warning("%s: no validation pairs: holding out a tenth of the training dialogues", config.data)
    held = np.random.default_rng(config.seed).choice(dialogues, size=max(1, len(dialogues) // 10), replace=False)
    out = np.isin(train.dialogues, held)
    return train.select(np.flatnonzero(~out)), train.select(np.flatnonzero(out)[: config.max_validation_pairs])


def batch_loader(pairs: QuestionAnswerPairs, vectors: np.ndarray, batch_size: int, processes: int) -> DataLoader[Any]:
    """Batches of (question vectors, answer vectors, labels), gathered from the table of distinct vectors."""
    import torch
    from torch.utils.data import DataLoader

    table = torch.from_numpy(vectors)
    questions, answers = torch.from_numpy(pairs.questions).long(), torch.from_numpy(pairs.answers).long()
    labels = torch.from_numpy(pairs.labels)
    last = len(table) - 1  # torch does not take -1 as "last" in an index tensor everywhere: say it
    questions = torch.where(questions < 0, last, questions)

    def collate(rows: list[int]) -> tuple[torch.Tensor, ...]:
        at = torch.tensor(rows)
        return table[questions[at]], table[answers[at]], labels[at]

    return DataLoader(
        range(len(pairs)),  # type: ignore[arg-type]
        batch_size=min(batch_size, len(pairs)),
        shuffle=True,
        collate_fn=collate,
        # a last small batch has few wrong answers: its loss would be on another scale
        drop_last=len(pairs) >= batch_size * processes,
    )
