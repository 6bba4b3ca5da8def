"""A trained core -> a model repository on the Hub, with its code and a filled card.

>>> from push_scripts.push_model import push_model
>>> push_model("runs/core", "my-org/cube-core", dry_run=True)  # doctest: +SKIP
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from push_scripts.errors import explained
from push_scripts.hub import Published, Target, publish, require_token
from push_scripts.model_card import model_card, read_results
from push_scripts.model_folder import OWNED, TRAINING, read_model_folder


@dataclass(frozen=True)
class PushedModel:
    """What was pushed, or would be.

    Attributes:
        sizes: Path in the repository -> bytes.
        card: Text of the model card.
        published: Where it is now; None after a dry run.
    """

    sizes: dict[str, int]
    card: str
    published: Published | None


def push_model(
    model: str | Path,
    repo: str,
    *,
    private: bool = False,
    create_pr: bool = False,
    tag: str | None = None,
    revision: str | None = None,
    dry_run: bool = False,
    message: str | None = None,
    results: str | Path | None = None,
) -> PushedModel:
    """Publishes a trained core in one commit: weights as safetensors, code, training facts, and the card.

    Args:
        model: Folder that the training wrote. Checkpoints, optimizer states and logs in it stay here.
        repo: `org/name`; made when missing.
        private: Make the repository private.
        create_pr: Open a pull request.
        tag: Name of this version.
        revision: Branch to commit to, instead of the main one.
        dry_run: Only say what would be done; no server is contacted.
        message: Title of the commit.
        results: JSON that an evaluation wrote; its figures go into the card.

    Raises:
        PushError: No whole and safe model folder, or the Hub refused.
    """
    target = Target(repo, "model", private, create_pr, tag, revision, message or "Upload core")
    if not dry_run:
        require_token()
    folder = read_model_folder(Path(model))
    card = model_card(folder, repo, read_results(Path(results)) if results else [])
    with explained(repo, "the Hub"), tempfile.TemporaryDirectory(prefix="push-model-") as name:
        files = dict(folder.files)
        texts = {"README.md": card}
        if folder.training:
            texts[TRAINING] = json.dumps(folder.training, indent=1, ensure_ascii=False) + "\n"
        for path, text in texts.items():
            files[path] = Path(name, path)
            files[path].write_text(text, encoding="utf-8")
        sizes = {path: file.stat().st_size for path, file in sorted(files.items())}
        published = None if dry_run else publish(target, files, owned=OWNED)
    return PushedModel(sizes, card, published)


if __name__ == "__main__":
    from push_scripts.cli import run

    run("model")
