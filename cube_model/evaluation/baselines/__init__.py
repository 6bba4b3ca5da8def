"""Baselines on the same frozen vectors: one file each, `fit(train, validation, seed, settings)` -> a judged method.

>>> from cube_model.evaluation.baselines import EmbeddedPairs, baselines
>>> tuning = baselines(turns=3, budget=200_000)["mlp_both"].tune(train, validation, seed=0)  # two `EmbeddedPairs`
>>> tuning.best.method.parameters, tuning.best.settings, tuning.best.accuracy
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cube_model.evaluation.baselines.base import Baseline, EmbeddedPairs, Fitted, Tuning

if TYPE_CHECKING:
    from cube_model.training.config import TrainingConfig

__all__ = ["Baseline", "EmbeddedPairs", "Fitted", "Tuning", "baselines"]


def baselines(*, turns: int, budget: int, core: TrainingConfig | None = None) -> dict[str, Baseline]:
    """All, by name.

    Args:
        turns: Turns of a question that the pairs hold.
        budget: Parameters of the maps whose size can be chosen; that of the core they are compared with.
        core: The core's training; its defaults when not given.
    """
    from cube_model.evaluation.baselines.closed_form import Identity, Procrustes, Ridge
    from cube_model.evaluation.baselines.core import Core
    from cube_model.evaluation.baselines.lexical import BM25, Tfidf
    from cube_model.evaluation.baselines.map import MapAdamW, MapPolyAI
    from cube_model.evaluation.baselines.monarch import MonarchBaseline
    from cube_model.evaluation.baselines.residual import ResidualBaseline

    every: list[Baseline] = [
        BM25(turns),
        Tfidf(turns),
        Identity(turns),
        Ridge(),
        Procrustes(),
        MapPolyAI(),
        MapAdamW(),
        ResidualBaseline("low_rank", budget, activation=False, both=True),
        ResidualBaseline("mlp_question", budget, activation=True, both=False),
        ResidualBaseline("mlp_both", budget, activation=True, both=True),
        MonarchBaseline(budget),
        Core(core),
    ]
    return {baseline.name: baseline for baseline in every}
