"""Outputs with weights or vectors that `fuzz.py` damages: cores, encoders, vectors, assistants, intents, checkpoints."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.attacks.fuzz_targets import LARGEST, QUESTIONS, Target, digest

DIMENSION = 16


def model_targets(folder: Path) -> Iterator[Target]:
    """Write outputs with weights below a folder, made on a tiny encoder."""
    from dataset_builders.corpus.build import build_dataset
    from dataset_builders.own_data import load, own_builders
    from support.served_assistant import FAQ, write_faq
    from support.tiny_teacher import save_tiny_distilbert

    folder.mkdir()
    tiny = save_tiny_distilbert(folder / "tiny", DIMENSION)
    rows = {f"{question} {n}": f"{answer} {n}" for n in range(4) for question, answer in FAQ.items()}
    write_faq(folder / "faq.csv", rows)
    own = own_builders(load(folder / "faq.csv", "faq"), cache_dir=folder / "cache")
    build_dataset([], None, folder / "data", own=own, cache_dir=folder / "cache")
    yield from _core(folder, tiny)
    yield from _encoder(folder, tiny)
    yield from _vectors(folder, tiny)
    yield from _assistant(folder)
    yield from _checkpoint(folder / "checkpoints")


def _of(kind: str, place: Path, read: Callable[[], object]) -> Iterator[Target]:
    for file in sorted(path for path in place.rglob("*") if path.is_file() and path.stat().st_size < LARGEST):
        if file.suffix not in (".py", ".md"):
            yield Target(kind, file, read)


def _core(folder: Path, tiny: Path) -> Iterator[Target]:
    import torch

    from cube_model.inference.loading import load_core, training_record
    from cube_model.training.command import train_core
    from cube_model.training.config import TrainingConfig
    from push_scripts.model_folder import read_model_folder

    options: dict[str, Any] = {"epochs": 1, "validation": "split", "progress": False}
    train_core(TrainingConfig(data=str(folder / "data"), teacher=str(tiny), output=str(folder / "core"), **options))
    vectors = torch.linspace(-1, 1, 3 * DIMENSION).reshape(3, DIMENSION)

    def read() -> object:
        core = load_core(folder / "core")
        training_record(folder / "core")
        read_model_folder(folder / "core")
        with torch.no_grad():
            return digest(core(vectors)[0].numpy().tobytes())

    yield from _of("core", folder / "core", read)


def _encoder(folder: Path, tiny: Path) -> Iterator[Target]:
    from cube_model.embedder.config import EmbedderConfig
    from cube_model.embedder.trainer import train_embedder
    from cube_model.teacher.teacher import Teacher

    place = folder / "encoder"
    train_embedder(
        EmbedderConfig(
            data=str(folder / "data"), base=str(tiny), output=str(place), max_steps=2, batch_size=8, device="cpu"
        )
    )

    def read() -> object:
        return digest(Teacher.load(place, device="cpu").encode(QUESTIONS).tobytes())

    yield from _of("encoder", place, read)


def _vectors(folder: Path, tiny: Path) -> Iterator[Target]:
    import numpy as np

    from cube_model.data.embed.config import EmbedConfig
    from cube_model.data.embed.run import embed_dataset
    from cube_model.data.hub import read_rows
    from cube_model.teacher.teacher import Teacher
    from cube_model.vectors.folder import VectorFolder
    from cube_model.vectors.keys import cache_keys

    place = folder / "vectors"
    options: dict[str, Any] = {"teacher": str(tiny), "teacher_dtype": "float32", "progress": False}
    embed_dataset(EmbedConfig(data=str(folder / "data"), out=str(place), **options))
    texts = read_rows(folder / "data", "pairs", "train", ["anchor"])["anchor"].to_pylist()
    teacher = Teacher.load(tiny, device="cpu")
    keys = cache_keys(texts)

    def read() -> object:
        opened, out = VectorFolder(place), np.zeros((len(keys), DIMENSION), np.float32)
        opened.check_teacher(teacher)
        return digest(opened.read(keys, out).tobytes(), out.tobytes())

    yield from _of("vectors", place, read)


def _assistant(folder: Path) -> Iterator[Target]:
    from cube_model.assistant.assistant import DialogueAssistant
    from cube_model.assistant.changes import add_pair
    from cube_model.assistant.store import AnswerStore
    from cube_model.intents.head import IntentHead
    from cube_model.teacher.teacher import Teacher
    from support.served_assistant import build_small_assistant

    place = folder / "assistant"
    build_small_assistant(place)
    add_pair(place, "Is there a sauna?", "In the cellar, from four to nine.", "en")
    AnswerStore(place).remove([AnswerStore(place).view().table["id"][0].as_py()])

    def read() -> object:
        opened = DialogueAssistant(place, device="cpu")
        replies = [
            (r.is_known, r.confidence, [(a.text, a.confidence) for a in r.answers])
            for r in map(opened.reply, QUESTIONS)
        ]
        return digest(replies, opened.intent_many(QUESTIONS))

    yield from _of("assistant", place, read)
    intents = shutil.copytree(folder / "parts-of-assistant" / "intents", folder / "intents")
    vectors = Teacher.load(folder / "parts-of-assistant" / "tiny", device="cpu").encode(QUESTIONS)

    def read_intents() -> object:
        return digest(IntentHead.load(intents).predict(vectors))

    yield from _of("intents", intents, read_intents)


def _checkpoint(folder: Path) -> Iterator[Target]:
    """A training that died; the checkpoint that the next one resumes must be whole. Tests resume from damaged ones."""
    from cube_model import CubeTrainer
    from cube_model.training.checkpoints import last_checkpoint
    from support.vector_training import Steps, StoppedError, Vectors, config

    logging.getLogger("cube_model").setLevel(logging.ERROR)
    options: dict[str, Any] = {"epochs": 2, "checkpoint_every": 2, "output": str(folder / "core")}
    with suppress(StoppedError):
        CubeTrainer(config(**options), callbacks=[Steps(7)]).train(Vectors())
    work, whole = folder / ".core.training", folder / "whole"
    shutil.copytree(work, whole)

    def read() -> object:
        place = last_checkpoint(work)
        if place is None:
            return None
        return all(
            (place / file.relative_to(whole / place.name)).read_bytes() == file.read_bytes()
            for file in sorted((whole / place.name).rglob("*"))
        )

    yield from _of("checkpoint", work, read)
