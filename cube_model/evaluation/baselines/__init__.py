"""Baselines on the same frozen embeddings, one file each; `fit` and `tune` return a method to evaluate.

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
    """Return all baselines by name.

    Args:
        turns: Number of turns in a question, including the question itself.
        budget: Target number of parameters for maps of adjustable size: that of the core they are compared with.
        core: Training configuration of the core. Default: `TrainingConfig()`.
    """
    from cube_model.evaluation.baselines.closed_form import Identity, Procrustes, Ridge
    from cube_model.evaluation.baselines.core import Core
    from cube_model.evaluation.baselines.lexical import BM25, Tfidf
    from cube_model.evaluation.baselines.map import MapAdamW, MapPolyAI
    from cube_model.evaluation.baselines.monarch import MonarchBaseline
    from cube_model.evaluation.baselines.residual import ResidualBaseline

    methods: list[Baseline] = [
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
    return {baseline.name: baseline for baseline in methods}
