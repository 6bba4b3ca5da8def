"""The untrained core from which a training starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cube_model.data.training_data import TrainingData
from cube_model.errors import ModelError
from cube_model.training.config import TrainingConfig

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel


def untrained_core(
    config: TrainingConfig, dimension: int, context_turns: int, data: TrainingData | None = None
) -> CubeModel:
    """Return an untrained core. With data, it records them, and an autoencoder starts at their principal axes.

    Args:
        config: Training configuration.
        dimension: Dimension of the embeddings.
        context_turns: Number of earlier turns that the core reads.
        data: Data that it is going to learn from.

    Raises:
        ModelError: The shape of the core is invalid.
    """
    from accelerate.utils import set_seed
    from huggingface_hub.errors import StrictDataclassError

    from cube_model.core.configuration_cube import CubeConfig
    from cube_model.core.modeling_cube import CubeModel

    facts: dict[str, Any] = {}
    if data is not None:
        of_training = {"pairs": data.pairs, "sources": sorted({source for source, *_ in data.origins})}
        of_training |= {"data_fingerprint": data.train.fingerprint, "seed": config.seed}
        facts = {"teacher": data.teacher, "training": of_training}
    set_seed(config.seed)
    try:
        shape = CubeConfig(embedding_dim=dimension, context_turns=context_turns, **config.core(), **facts)
    except (StrictDataclassError, ValueError) as error:
        raise ModelError(f"core: {str(error).splitlines()[-1].strip().removeprefix('ValueError: ')}") from error
    model = CubeModel(shape)
    if data is not None and config.mode == "autoencoder":
        import torch

        used = sorted(set(data.train.questions[:, 0].tolist()))
        model.start_from_principal_axes(torch.from_numpy(data.train_vectors[used]))
    return model
