"""Push a Space to the Hub: a Gradio app that asks a core, or the dashboard of a dataset.

>>> from push_scripts.push_options import PushOptions
>>> from push_scripts.push_space import push_space
>>> dry = PushOptions(dry_run=True)
>>> pushed = push_space("gradio", "my-org/ask", "my-org/corpus", model="my-org/core", options=dry)
>>> pushed.published is None
True
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from dataset_builders.common.files import temporary_folder
from dataset_builders.common.outputs import OutputKind, output_folder
from dataset_builders.sources.raw_files import sha256
from push_scripts.errors import PushError, explain_errors
from push_scripts.history import Version
from push_scripts.hub import PushedSpace, Target, publish, require_token
from push_scripts.push_options import PushOptions
from push_scripts.space_folder import OWNED, PACKAGE_DATA, PACKAGES, Kind, Space, files_of

SPACE = OutputKind(
    "`dialogue-cube push space`",
    "--output",
    lambda folder: (folder / "requirements.txt").is_file() and (folder / "dialogue_cube.py").is_file(),
    (
        *("README.md", "app.py", "Dockerfile", "settings.json", "requirements.txt", "dialogue_cube.py"),
        *(f"{package}/{kind}" for package in PACKAGES for kind in ("**/*.py", *PACKAGE_DATA[package])),
        *("dialogue_cube-*.dist-info/METADATA", "dialogue_cube-*.dist-info/entry_points.txt"),
    ),
    error=PushError,
)
"""Existing folders that `--output` may replace."""


def push_space(
    kind: Kind,
    repo: str,
    data: str,
    *,
    model: str | None = None,
    teacher: str | None = None,
    max_answers: int = 5000,
    output: str | Path | None = None,
    options: PushOptions | None = None,
) -> PushedSpace:
    """Publish a Space in one commit: its program, this package and pinned requirements. It contains no token.

    The app shows only answers and utterances of the dataset that may be redistributed.

    Args:
        kind: `"gradio"`: ask the core, intents, conversation; `"dashboard"`: the dashboard, in a container.
        repo: Repository of the Space, `org/name`; created if missing.
        data: Dataset repository, `org/name`.
        model: Repository of the core, `org/name`; required for `"gradio"`.
        teacher: Repository of the core's teacher. Default: the one that the core records.
        max_answers: Number of answers that the app searches; it encodes them at its start.
        output: Folder to write the files of the Space to as well, to try them.
        options: How to push.

    Raises:
        PushError: A name is not `org/name`, an extra is missing, or the Hub refused.

    Example:
        >>> pushed = push_space("gradio", "ORG/demo", "ORG/corpus", model="ORG/core", options=PushOptions(dry_run=True))
        >>> "app.py" in pushed.sizes
        True
    """
    options = options or PushOptions()
    space = Space(kind, repo, data, model, teacher, max_answers)
    target = Target(repo, "space", options, sdk=space.sdk)
    if kind == "gradio" and model is None:
        raise PushError("--kind gradio asks a core: name its repository with --model ORG/NAME")
    for option, place in (("--data", data), ("--model", model)):
        if place is not None and place.count("/") != 1:
            raise PushError(
                f"{option} {place}: the Space reads the Hub; push it first and name its repository, ORG/NAME"
            )
    if not options.dry_run:
        require_token()
    with explain_errors(repo, "the Hub"), temporary_folder() as name:
        folder = Path(name)
        space.write(folder)
        if output is not None:
            with output_folder(output, SPACE) as written:
                for path, file in files_of(folder):
                    (written / path).parent.mkdir(parents=True, exist_ok=True)
                    (written / path).write_bytes(file.read_bytes())
        files = dict(files_of(folder))
        sizes = {path: file.stat().st_size for path, file in files.items()}
        digest = hashlib.sha256(json.dumps({path: sha256(file) for path, file in files.items()}).encode())
        label = Version(f"space {digest.hexdigest()[:16]}", version("dialogue-cube"))
        published = None if options.dry_run else publish(target, files, OWNED, label)
    return PushedSpace(sizes, published)
