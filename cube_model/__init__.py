"""Rows -> vectors -> a trained 3D cubic core.

Public names are imported on first use, so that `import cube_model` costs little. Importing the package also makes
`transformers.AutoConfig` and `AutoModel` know the model type `"cube"`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cube_model._registration import register_lazily

if TYPE_CHECKING:
    from cube_model.autoencoder_dataset import AutoencoderDataset as AutoencoderDataset
    from cube_model.configuration_cube import CubeConfig as CubeConfig
    from cube_model.dialogue_config import DatasetConfig as DatasetConfig
    from cube_model.dialogue_config import DialogueConfig as DialogueConfig
    from cube_model.dialogue_dataset import DialogueDataset as DialogueDataset
    from cube_model.dialogue_dataset import create_conversation_dataset as create_conversation_dataset
    from cube_model.dialogue_dataset import create_dialogue_dataset as create_dialogue_dataset
    from cube_model.dialogue_dataset import load_dialogue_dataset_from_files as load_dialogue_dataset_from_files
    from cube_model.embedding_cache import EmbeddingCache as EmbeddingCache
    from cube_model.embedding_loader import EmbeddingLoader as EmbeddingLoader
    from cube_model.embedding_processor import EmbeddingProcessor as EmbeddingProcessor
    from cube_model.errors import ModelError as ModelError
    from cube_model.modeling_cube import CubeModel as CubeModel
    from cube_model.retriever import CubeRetriever as CubeRetriever
    from cube_model.teacher import Teacher as Teacher
    from cube_model.trainer import CubeTrainer as CubeTrainer
    from cube_model.training_config import TrainingConfig as TrainingConfig

_HOME = {
    "AutoencoderDataset": "autoencoder_dataset",
    "CubeConfig": "configuration_cube",
    "CubeModel": "modeling_cube",
    "CubeRetriever": "retriever",
    "CubeTrainer": "trainer",
    "DatasetConfig": "dialogue_config",
    "DialogueConfig": "dialogue_config",
    "DialogueDataset": "dialogue_dataset",
    "EmbeddingCache": "embedding_cache",
    "EmbeddingLoader": "embedding_loader",
    "EmbeddingProcessor": "embedding_processor",
    "ModelError": "errors",
    "Teacher": "teacher",
    "TrainingConfig": "training_config",
    "create_conversation_dataset": "dialogue_dataset",
    "create_dialogue_dataset": "dialogue_dataset",
    "load_dialogue_dataset_from_files": "dialogue_dataset",
}

__all__ = sorted(_HOME)

register_lazily()


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'cube_model' has no attribute {name!r}")
    return getattr(importlib.import_module(f"cube_model.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
