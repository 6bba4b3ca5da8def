"""Encode dialogues with a frozen teacher, and train and use the 3D cubic core on the embeddings.

Public names are imported on first use, which keeps `import cube_model` fast. Importing the package also registers the
model type `"cube"` with `transformers.AutoConfig` and `AutoModel`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cube_model.core.registration import register_lazily

if TYPE_CHECKING:
    from cube_model.assistant.assistant import DialogueAssistant as DialogueAssistant
    from cube_model.core.configuration_cube import CubeConfig as CubeConfig
    from cube_model.core.modeling_cube import CubeModel as CubeModel
    from cube_model.data.autoencoder_dataset import AutoencoderDataset as AutoencoderDataset
    from cube_model.data.config import DatasetConfig as DatasetConfig
    from cube_model.data.config import DialogueConfig as DialogueConfig
    from cube_model.data.dialogue_dataset import DialogueDataset as DialogueDataset
    from cube_model.data.dialogue_dataset import create_conversation_dataset as create_conversation_dataset
    from cube_model.data.dialogue_dataset import create_dialogue_dataset as create_dialogue_dataset
    from cube_model.data.dialogue_dataset import load_dialogue_dataset_from_files as load_dialogue_dataset_from_files
    from cube_model.errors import ModelError as ModelError
    from cube_model.inference.processor import EmbeddingProcessor as EmbeddingProcessor
    from cube_model.inference.retriever import CubeRetriever as CubeRetriever
    from cube_model.teacher.teacher import Teacher as Teacher
    from cube_model.training.config import TrainingConfig as TrainingConfig
    from cube_model.training.trainer import CubeTrainer as CubeTrainer
    from cube_model.vectors.cache import EmbeddingCache as EmbeddingCache
    from cube_model.vectors.loader import EmbeddingLoader as EmbeddingLoader

_MODULES = {
    "AutoencoderDataset": "data.autoencoder_dataset",
    "CubeConfig": "core.configuration_cube",
    "CubeModel": "core.modeling_cube",
    "CubeRetriever": "inference.retriever",
    "CubeTrainer": "training.trainer",
    "DatasetConfig": "data.config",
    "DialogueAssistant": "assistant.assistant",
    "DialogueConfig": "data.config",
    "DialogueDataset": "data.dialogue_dataset",
    "EmbeddingCache": "vectors.cache",
    "EmbeddingLoader": "vectors.loader",
    "EmbeddingProcessor": "inference.processor",
    "ModelError": "errors",
    "Teacher": "teacher.teacher",
    "TrainingConfig": "training.config",
    "create_conversation_dataset": "data.dialogue_dataset",
    "create_dialogue_dataset": "data.dialogue_dataset",
    "load_dialogue_dataset_from_files": "data.dialogue_dataset",
}

__all__ = sorted(_MODULES)

register_lazily()


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'cube_model' has no attribute {name!r}")
    return getattr(importlib.import_module(f"cube_model.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
