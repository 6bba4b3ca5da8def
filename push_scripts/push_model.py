"""Push a trained core, embedder or export to a model repository on the Hub, with its code and a filled card.

>>> from push_scripts.push_model import push_model
>>> from push_scripts.push_options import PushOptions
>>> push_model("runs/core", "my-org/cube-core", PushOptions(dry_run=True))  # doctest: +SKIP
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cube_model.card.card import data_record, model_card
from cube_model.card.licenses import restricted_data
from cube_model.card.results import Results, eval_results
from dataset_builders.common.files import temporary_folder
from dataset_builders.sources.raw_files import sha256
from push_scripts.errors import PushError, explain_errors
from push_scripts.history import Version
from push_scripts.hub import Published, Target, publish, require_token
from push_scripts.license_gate import GateReport
from push_scripts.model_folder import CONFIG, OWNED, TRAINING, ModelFolder, read_model_folder
from push_scripts.model_results import read_results
from push_scripts.push_options import PushOptions


@dataclass(frozen=True)
class PushedModel:
    """A pushed model, or the one that a dry run would push.

    Attributes:
        sizes: Path in the repository -> size in bytes.
        card: Text of the model card.
        gate: Numbers of answers of the index published and held back.
        published: Commit on the Hub; None after a dry run.
    """

    sizes: dict[str, int]
    card: str
    gate: GateReport
    published: Published | None


def push_model(
    model: str | Path,
    repo: str,
    options: PushOptions | None = None,
    *,
    results: str | Path | Sequence[str | Path] = (),
    index: str | Path | None = None,
) -> PushedModel:
    """Publish a trained model in one commit: weights as safetensors, code, training record and card.

    Args:
        model: Folder that a training or `dialogue-cube export` wrote. Its checkpoints, optimizer states and logs are
            not pushed.
        repo: Repository, `org/name`; created if missing.
        options: How to push.
        results: JSON file or files of an evaluation of this model, for the figures of the card.
        index: Folder of a saved answer index (`dialogue-cube ask --index`). Its answers that may be redistributed are
            pushed too.

    Raises:
        PushError: The model folder is incomplete or unsafe, its training data are restricted, the results or the index
            belong to another model, or the Hub refused.

    Example:
        >>> pushed = push_model("core", "ORG/core", PushOptions(dry_run=True))
        >>> "SentenceTransformer" in pushed.card, pushed.published
        (True, None)
    """
    options = options or PushOptions()
    target = Target(repo, "model", options)
    if not options.dry_run:
        require_token()
    folder = read_model_folder(Path(model))
    with _explain_damage(folder):
        _check_data(folder, options)
    _check_weights(folder)
    paths = [results] if isinstance(results, (str, Path)) else results
    figures = read_results([Path(path) for path in paths], folder)
    with explain_errors(repo, "the Hub"), temporary_folder() as name:
        staged, gate, record = Path(name), GateReport(), None
        files = dict(folder.files)
        if index is not None:
            from push_scripts.index_folder import admit_index

            record, gate = admit_index(Path(index), folder, staged / "index")
            files |= {f"index/{path.name}": path for path in (staged / "index").iterdir()}
        with _explain_damage(folder):
            card = model_card(folder, repo, figures, index=record, revision=options.tag)
        options.write_card(card)
        for path, text in _texts(folder, figures, card).items():
            files[path] = staged / path
            files[path].parent.mkdir(exist_ok=True)
            files[path].write_text(text, encoding="utf-8")
        sizes = {path: file.stat().st_size for path, file in sorted(files.items())}
        published = None if options.dry_run else publish(target, files, OWNED, _version(folder, files))
    return PushedModel(sizes, card, gate, published)


@contextmanager
def _explain_damage(folder: ModelFolder) -> Iterator[None]:
    """Report values in the records of a model that no training writes."""
    from jinja2 import TemplateError

    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, TemplateError) as error:
        names = " or ".join(str(folder.path / name) for name in (TRAINING, CONFIG) if (folder.path / name).exists())
        raise PushError(f"{names}: damaged ({error!r}); train the model again, or export it again") from error


def _check_weights(folder: ModelFolder) -> None:
    """Refuse weights that are not those of the recorded training: its licences say nothing about them."""
    from cube_model.errors import ModelError
    from cube_model.inference.loading import check_core
    from cube_model.teacher.trained_files import check_trained

    try:
        check_trained(folder.path)
        if folder.kind == "core":
            check_core(folder.path)
    except ModelError as error:
        raise PushError(f"--model {error}") from error


def _check_data(folder: ModelFolder, options: PushOptions) -> None:
    """Refuse a model of restricted data, unless the user has decided: weights can repeat what they have learned."""
    restricted = restricted_data(data_record(folder))
    if restricted and not options.restricted_data:
        names = ", ".join(f"{source} ({license})" for source, license in restricted.items())
        raise PushError(
            f"{folder.path}: trained on data that may not be redistributed, or whose licence is unknown: {names}; "
            "nothing was pushed. Train without them, or pass --restricted-data if their owners let you publish it"
        )


def _texts(folder: ModelFolder, results: Results, card: str) -> dict[str, str]:
    texts = {"README.md": card}
    if folder.training:
        texts[TRAINING] = json.dumps(folder.training, indent=1, ensure_ascii=False) + "\n"
    data = data_record(folder).get("repo")
    if data and (entries := eval_results(results, data)):
        texts[".eval_results/dialogue-cube.yaml"] = entries
    return texts


def _version(folder: ModelFolder, files: Mapping[str, Path]) -> Version:
    """Label the content of all files but the card, which may change for the same model."""
    digests = {path: sha256(file) for path, file in sorted(files.items()) if path != "README.md"}
    program: Any = (folder.training.get("versions") or {}).get("dialogue-cube", "0")
    return Version(f"{folder.kind} {hashlib.sha256(json.dumps(digests).encode()).hexdigest()[:16]}", str(program))
