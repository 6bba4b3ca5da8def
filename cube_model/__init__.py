"""Rows -> vectors -> a trained 3D cubic core.

Public names are imported on first use, so that `import cube_model` costs little. Importing the package also makes
`transformers.AutoConfig` and `AutoModel` know the model type `"cube"`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cube_model._registration import register_lazily

if TYPE_CHECKING:
    from cube_model.configuration_cube import CubeConfig as CubeConfig
    from cube_model.embedding_cache import EmbeddingCache as EmbeddingCache
    from cube_model.errors import ModelError as ModelError
    from cube_model.modeling_cube import CubeModel as CubeModel
    from cube_model.retriever import CubeRetriever as CubeRetriever
    from cube_model.teacher import Teacher as Teacher
    from cube_model.trainer import CubeTrainer as CubeTrainer
    from cube_model.training_config import TrainingConfig as TrainingConfig

_HOME = {
    "CubeConfig": "configuration_cube",
    "CubeModel": "modeling_cube",
    "CubeRetriever": "retriever",
    "CubeTrainer": "trainer",
    "EmbeddingCache": "embedding_cache",
    "ModelError": "errors",
    "Teacher": "teacher",
    "TrainingConfig": "training_config",
}

__all__ = sorted(_HOME)

register_lazily()


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'cube_model' has no attribute {name!r}")
    return getattr(importlib.import_module(f"cube_model.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
