"""Training of an encoder together with what composes its vectors of turns.

Joined text encodes the whole history again at each turn. Here every turn is encoded once, and a composer, such as the
cubic core, combines the vectors of the question and the turns before it. The gradients of the contrastive loss pass
through the composer into the encoder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.nn.functional import pad

from cube_model.core.configuration_turns import TurnsConfig
from cube_model.core.modeling_turns import TurnsModel, rows_of
from cube_model.core.sentence_turns import TurnsText
from cube_model.embedder.loss import texts_by_length
from cube_model.errors import ModelError
from cube_model.teacher.find import find_teacher
from cube_model.teacher.sentence_files import read_sentence_files

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from cube_model.embedder.config import EmbedderConfig
    from cube_model.embedder.data import EmbedderData
    from cube_model.embedder.streamed_data import StreamedEmbedderData

_AFTER_ALONE = 0.1
"""Factor on the learning rate of a composer that was trained alone before: it is near its optimum."""


def with_composer(base: SentenceTransformer, config: EmbedderConfig, separator: str) -> SentenceTransformer:
    """Put an untrained composer on an encoder.

    Args:
        base: The encoder, with its own modules.
        config: The run, with a composer.
        separator: Text between the turns of an anchor.

    Returns:
        A model whose questions are composed of the vectors of their turns.

    Raises:
        ModelError: The encoder is no transformer.
    """
    from sentence_transformers import SentenceTransformer

    if not hasattr(base[0], "auto_model"):
        raise ModelError(f"base {config.base} is no transformer, which a composer needs: choose another --base")
    files = read_sentence_files(find_teacher(config.base, config.revision).folder)
    encoder = cast("Any", base[0]).auto_model
    prefix = base.prompts.get(base.default_prompt_name) if base.default_prompt_name else None
    settings = encoder.config.to_dict()
    model = TurnsModel(
        TurnsConfig(
            encoder={key: value for key, value in settings.items() if key not in ("_name_or_path", "architectures")},
            embedding_dim=int(base.get_embedding_dimension() or 0),
            composer=config.composer,
            context_turns=config.context_turns,
            pooling=files.pooling or "mean",
            normalize=files.normalize is not False,
            prefix=prefix or "",
            lowercase=files.lowercase,
            max_length=int(base.max_seq_length or 512),
            turn_separator=separator,
        )
    )
    model.encoder = encoder
    return SentenceTransformer(modules=[TurnsText(model, base.tokenizer)], device=str(base.device))


def turns_model(model: torch.nn.Module) -> TurnsModel:
    """Return encoder and composer of a model of `with_composer`, also from within a wrapper for several processes."""
    return cast("TurnsModel", cast("Any", getattr(model, "module", model))[0].model)


def training_arguments(
    config: EmbedderConfig, model: SentenceTransformer, data: EmbedderData | StreamedEmbedderData
) -> dict[str, Any]:
    """Return the arguments of the trainer that only a model with a composer has."""
    tasks = {column: "query" if column == "anchor" else "document" for column in data.columns() if column != "label"}
    has_weights = any(True for _ in turns_model(model).composer.parameters())
    rate = config.composer_learning_rate * (_AFTER_ALONE if config.steps_of_composer else 1)
    rates = {r"\.composer\.": rate} if has_weights else {}
    return {"router_mapping": tasks, "learning_rate_mapping": rates}


def composed_columns(model: SentenceTransformer, sentence_features: Iterable[dict[str, Any]]) -> list[torch.Tensor]:
    """Make embeddings of composed questions, of answers and negatives; encodes each distinct text of a batch once.

    A question is a turn of the context of the next one, and so is its answer, so neighbouring pairs of a dialogue share
    most of their texts.

    Args:
        model: A model of `with_composer`, or a wrapper of it.
        sentence_features: Features of questions, then of answers and of negatives, as `TurnsText` makes them.

    Returns:
        Embeddings `[batch, dimension]` of each.
    """
    columns = list(sentence_features)
    texts, places = distinct_texts(columns)
    vectors, turns = texts_by_length(model, texts), turns_model(model)
    questions, *answers = (
        rows_of(vectors, torch.where(column["turns"] < 0, -1, place[column["turns"]]))
        for column, place in zip(columns, places, strict=True)
    )
    return [turns.compose(questions), *(turns.answers(column[:, 0]) for column in answers)]


def distinct_texts(columns: list[dict[str, Any]]) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
    """Find the texts that columns have in common.

    Args:
        columns: `input_ids` and `attention_mask` `[texts, width]` of each, padded on the right.

    Returns:
        `input_ids` and `attention_mask` of the distinct texts; and for each column, the rows there of its texts.
    """
    parts = [column["input_ids"].masked_fill(column["attention_mask"] == 0, -1) for column in columns]
    width = max(part.shape[1] for part in parts)
    padded = [pad(part, (0, width - part.shape[1]), value=-1) for part in parts]
    ids, numbers = torch.unique(torch.cat(padded), dim=0, return_inverse=True)
    mask = ids >= 0
    texts = {"input_ids": ids.masked_fill(~mask, 0), "attention_mask": mask.long()}
    return texts, list(numbers.split([len(column) for column in padded]))


class JointOutput:
    """Saves an encoder of turns for others: without a card, and with the names that its code has in the folder."""

    def __init__(self, model: SentenceTransformer) -> None:
        self.model = model

    def save_pretrained(self, folder: Path) -> None:
        """Write the model."""
        self.model.save_pretrained(str(folder), create_model_card=False)
        path = folder / "modules.json"
        modules = json.loads(path.read_text(encoding="utf-8"))
        for module in modules:
            module["type"] = module["type"].removeprefix("cube_model.core.")
        path.write_text(json.dumps(modules, indent=2), encoding="utf-8")
