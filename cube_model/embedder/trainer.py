"""Contrastive fine-tuning of a text encoder with the trainer and the losses of sentence-transformers.

>>> from cube_model.embedder.config import EmbedderConfig
>>> from cube_model.embedder.trainer import train_embedder
>>> train_embedder(EmbedderConfig(data="my-corpus", base="minilm", output="my-encoder"))["loss_last"]
"""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cube_model.data.location import location_of
from cube_model.embedder.config import EmbedderConfig
from cube_model.embedder.data import EmbedderData, load_embedder_data
from cube_model.embedder.interpolation import copy_of_weights, move_towards
from cube_model.embedder.streamed_data import StreamedEmbedderData
from cube_model.errors import ModelError
from cube_model.machine import default_device, hardware, has_native_bfloat16, versions
from cube_model.teacher.find import KNOWN_TEACHERS, find_teacher, first_line
from cube_model.teacher.fingerprint import weights_sha256
from cube_model.teacher.quiet import quiet_transformers
from cube_model.teacher.sentence_files import read_sentence_files
from cube_model.teacher.teacher import turn_separator
from cube_model.training.accelerator import set_threads
from cube_model.training.checkpoints import check_arguments, checkpoints, last_checkpoint, write_arguments
from cube_model.training.output import TRAINED, check_output, claimed_output, recorded_arguments, write_output
from dataset_builders.common.files import needs_room
from dataset_builders.common.outputs import Output

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer

logger = logging.getLogger(__name__)

_LENGTH_CAP = 64
"""Maximum number of tokens that training reads by default: a rare long text would slow every batch."""


def train_embedder(config: EmbedderConfig) -> dict[str, Any] | None:
    """Fine-tune, and write the output folder.

    Args:
        config: The run.

    Returns:
        The record, as in `training.json`; None on processes other than the first.

    Raises:
        ModelError: sentence-transformers is not installed, the data do not fit the arguments, the output must not be
            replaced, or the loss is not finite.
    """
    try:
        import sentence_transformers  # noqa: F401  before data is read
    except ImportError as error:
        raise ModelError(
            "fine-tuning an encoder needs sentence-transformers: pip install 'dialogue-cube[embedder]'"
        ) from error
    output = Output(config.output, TRAINED, overwrite=config.overwrite)
    interrupted = bool(checkpoints(output.work))
    check_output(output, resume=config.resume, interrupted=interrupted)
    if config.resume and not interrupted:
        logger.warning("nothing to resume beside %s: starting from the beginning", output.place)
    first = os.environ.get("RANK", "0") == "0"
    with claimed_output(output if first else None, resume=config.resume):
        return _train(config, output, last_checkpoint(output.work) if config.resume else None)


def _train(config: EmbedderConfig, output: Output, checkpoint: Path | None) -> dict[str, Any] | None:
    """Train from the start or from a checkpoint; see `train_embedder`."""
    import sentence_transformers
    from transformers import set_seed

    started = time.monotonic()
    set_seed(config.seed)
    model, base = load_base(config)
    if config.static:
        from cube_model.embedder.static import distilled

        model = distilled(model, config.static)
        base |= {"dimension": config.static, "parameters": sum(weight.numel() for weight in model.parameters())}
    separator = turn_separator(model.tokenizer)
    composed = config.composer != "none"
    if composed:
        from cube_model.embedder.joint import with_composer

        model = with_composer(model, config, separator)
    data = StreamedEmbedderData(config, separator) if config.streaming else load_embedder_data(config, separator)
    static = is_static(model)
    own_length = model.max_seq_length
    length = None if static else config.max_length or training_length(model, data, separator if composed else None)
    if length:
        length = min(length, own_length or length)
        model.max_seq_length = length

    arguments = {
        **config.result_options(),
        "data fingerprint": data.fingerprint,
        "weights of the base": base["weights_sha256"],
    }
    if checkpoint is not None:
        check_arguments(output.work, arguments)
    elif os.environ.get("RANK", "0") == "0":
        write_arguments(output.work, arguments)
    start = _weights_to_share(config, model)
    trainer = _trainer(config, model, data, output.work)
    with (
        needs_room(output.place, "continue with --resume", ModelError),
        nullcontext() if static else fast_cpu_training(model, config.dropout, on_processor=_device(config) == "cpu"),
    ):
        history = _train_composer_first(trainer, model, config, data, separator) if checkpoint is None else []
        if config.max_steps != 0:
            trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
            history = [entry for entry in trainer.state.log_history if "loss" in entry]
    if config.base_share:
        move_towards(model, start, config.base_share)
    if length:
        model.max_seq_length = own_length  # later texts may be longer than those of the training
    if not trainer.is_world_process_zero():
        return None
    location = location_of(config.data)
    record = {
        "format": 1,
        "task": "dialogue-embedder",
        "arguments": recorded_arguments(config, data=location.get("repo") or location.get("folder"), base=base["name"]),
        "data": {**location, **data.describe()},
        "base": base,
        "max_length_in_training": length,
        "turn_separator": separator,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "mixed_precision": "bf16" if trainer.args.bf16 else "no",
        "processes": trainer.args.world_size,
        "steps": trainer.state.global_step,
        "composer_steps": config.steps_of_composer,
        "loss_first": history[0]["loss"],
        "loss_last": history[-1]["loss"],
        "history": [{key: entry[key] for key in ("step", "loss", "learning_rate")} for entry in history],
        "seconds": round(time.monotonic() - started, 1),
        "hardware": hardware(trainer.args.device.type, trainer.args.world_size),
        "versions": {**versions(), "sentence-transformers": sentence_transformers.__version__},
    }
    write_output(output, cast("Any", _saver(config, model)), record)
    return record


def _train_composer_first(
    trainer: Any, model: SentenceTransformer, config: EmbedderConfig, data: Any, separator: str
) -> list[dict[str, Any]]:
    """Train the composer alone, if the run says so."""
    if not config.steps_of_composer:
        return []
    from cube_model.embedder.composer_first import train_composer_first

    return list(train_composer_first(trainer, model, config, data, separator))


def _saver(config: EmbedderConfig, model: SentenceTransformer) -> Any:
    if config.composer == "none":
        return _WithoutCard(model)
    from cube_model.embedder.joint import JointOutput

    return JointOutput(model)


class _WithoutCard:
    """Saves an encoder without a card: that of sentence-transformers quotes rows, which their licence may forbid."""

    def __init__(self, model: SentenceTransformer) -> None:
        self.model = model

    def save_pretrained(self, folder: Path) -> None:
        """Write the encoder."""
        self.model.save_pretrained(str(folder), create_model_card=False)


def load_base(config: EmbedderConfig) -> tuple[SentenceTransformer, dict[str, Any]]:
    """The encoder to start from, as a SentenceTransformer of native modules, and its facts for the record.

    Raises:
        ModelError: It is unavailable or unreadable, or this package could not use it as a teacher afterwards.
    """
    from sentence_transformers import SentenceTransformer

    folder, name, _ = find_teacher(config.base, config.revision)
    files = read_sentence_files(folder)  # refuses modules that a teacher does not support
    teacher = KNOWN_TEACHERS.get(config.base)
    try:
        with quiet_transformers():
            model = SentenceTransformer(str(folder), device=_device(config), local_files_only=True)
        weights = weights_sha256(files.folder)
    except Exception as error:  # an unreadable folder raises one of a dozen types
        raise ModelError(f"base {config.base}: cannot read {folder}: {first_line(error)}") from error
    if teacher and teacher.prefix and not model.default_prompt_name:
        model.prompts, model.default_prompt_name = {"default": teacher.prefix}, "default"
    facts = {
        "name": name,
        "repo": teacher.repo if teacher else (name if "/" in name else None),
        "revision": config.revision or (teacher.revision if teacher else None),
        "weights_sha256": weights,
        "dimension": model.get_embedding_dimension(),
        "parameters": sum(weight.numel() for weight in model.parameters()),
    }
    return model.float(), facts


def _weights_to_share(config: EmbedderConfig, model: SentenceTransformer) -> dict[str, torch.Tensor]:
    """The weights that count as much as `base_share`; none if it is 0.

    Raises:
        ModelError: The encoder that has them is unavailable, or of another shape.
    """
    if not config.base_share:
        return {}
    if config.share_of is None:
        return copy_of_weights(model)
    other, _ = load_base(dataclasses.replace(config, base=config.share_of, revision=None))
    weights = copy_of_weights(other)
    shapes = [{name: tensor.shape for name, tensor in each.items()} for each in (weights, model.state_dict())]
    if shapes[0] != shapes[1]:
        raise ModelError(f"share_of {config.share_of}: its weights have not the shapes of those of base {config.base}")
    return weights


def is_static(model: SentenceTransformer) -> bool:
    """Whether an encoder is a table of token vectors."""
    return type(model[0]).__name__ == "StaticEmbedding"


def training_length(
    model: SentenceTransformer,
    data: EmbedderData | StreamedEmbedderData,
    turn_separator: str | None = None,
    share: float = 0.99,
) -> int:
    """Number of tokens that `share` of the texts fit in, rounded up to a multiple of 8: at most 64.

    Args:
        model: The encoder.
        data: The pairs.
        turn_separator: Separator of turns that are encoded one by one; None if they are encoded as one text.
        share: Share of the texts.
    """
    rows = np.random.default_rng(0).choice(len(data), size=min(len(data), 2000), replace=False)
    texts = data.texts(rows)
    if turn_separator is not None:
        texts = [turn for text in texts for turn in text.split(turn_separator)]
    lengths = [len(ids) for ids in model.tokenizer(texts, truncation=False, verbose=False)["input_ids"]]
    return min(_LENGTH_CAP, 8 * math.ceil(float(np.quantile(lengths, share)) / 8))


def _trainer(
    config: EmbedderConfig,
    model: SentenceTransformer,
    data: EmbedderData | StreamedEmbedderData,
    checkpoints: Path,
) -> SentenceTransformerTrainer:
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainingArguments

    from cube_model.embedder.loss import columns_by_length, contrastive_loss
    from cube_model.embedder.pair_trainer import PairTrainer

    embed, joint_arguments = columns_by_length, {}
    if config.composer != "none":
        from cube_model.embedder.joint import composed_columns, training_arguments

        embed, joint_arguments = composed_columns, training_arguments(config, model, data)
    if not is_static(model):
        _freeze(cast("Any", model[0]).auto_model, config)
    device = _device(config)
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.scheduler,
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        bf16=_wants_bf16(config, device),
        use_cpu=device == "cpu",
        seed=config.seed,
        data_seed=config.seed,
        dataloader_drop_last=True,
        dataloader_pin_memory=device != "cpu",
        save_strategy="steps",
        save_steps=config.checkpoint_every,
        logging_steps=0.01,  # of all steps
        logging_nan_inf_filter=False,
        logging_first_step=True,
        disable_tqdm=not config.progress,
        report_to="none",
        prompts=model.prompts.get(model.default_prompt_name) if model.default_prompt_name else None,
        **joint_arguments,
    )
    if device == "cpu":
        set_threads(config.threads, arguments.world_size)
    return PairTrainer(
        data=data,
        neighbours=config.neighbours,
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(
            data.columns(numbered=bool(config.distill)) if isinstance(data, EmbedderData) else data.columns()
        ),
        loss=contrastive_loss(config, model, data, arguments.world_size, embed),
    )


def _freeze(encoder: torch.nn.Module, config: EmbedderConfig) -> None:
    """Freeze what the configuration says: the token embeddings, and the lowest layers with all that comes before.

    Raises:
        ModelError: The encoder has no layers above the frozen ones.
    """
    from torch import nn

    if not config.train_embeddings:
        cast("Any", encoder).get_input_embeddings().requires_grad_(False)
    if not config.frozen_layers:
        return
    layers = max(
        (part for part in encoder.modules() if isinstance(part, nn.ModuleList)), key=len, default=nn.ModuleList()
    )
    if config.frozen_layers >= len(layers):
        raise ModelError(f"frozen_layers is {config.frozen_layers}: base {config.base} has {len(layers)} layers")
    for part in (layers[: config.frozen_layers], cast("Any", encoder).embeddings):
        part.requires_grad_(False)


def _device(config: EmbedderConfig) -> str:
    return default_device() if config.device == "auto" else config.device


def _wants_bf16(config: EmbedderConfig, device: str) -> bool:
    return config.mixed_precision == "bf16" or (config.mixed_precision == "auto" and has_native_bfloat16(device))


@contextmanager
def fast_cpu_training(model: SentenceTransformer, dropout: float, *, on_processor: bool) -> Iterator[None]:
    """Train inside with `dropout` in place of the base's own, and on a processor with the fastest attention there.

    One thread draws the random numbers of dropout, which takes a third of a step at 0.1. The backward pass of PyTorch's
    fused attention, which is made for long texts, takes longer on turns of twenty tokens than the rest of the step
    (`tests/benchmarks/bench_embedder.py`). The model is restored at the end.

    Args:
        model: The encoder.
        dropout: Share of the activations zeroed, 0 to below 1.
        on_processor: Whether it trains on a processor, not on a graphics card.
    """
    import torch

    layers = [module for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    own = [layer.p for layer in layers]
    encoder = cast("Any", model[0]).auto_model
    attention = encoder.config._attn_implementation
    for layer in layers:
        layer.p = dropout
    if on_processor:
        encoder.set_attn_implementation("eager")
    try:
        yield
    finally:
        for layer, share in zip(layers, own, strict=True):
            layer.p = share
        if on_processor:
            encoder.set_attn_implementation(attention)
