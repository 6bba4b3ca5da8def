"""Push the metrics to a Space on the Hub, from which `evaluate.load` loads them without this package.

>>> from push_scripts.push_metric import push_metric
>>> from push_scripts.push_options import PushOptions
>>> push_metric("my-org/dialogue_metrics", PushOptions(dry_run=True))  # doctest: +SKIP
"""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

from dataset_builders.common.files import temporary_folder
from dataset_builders.sources.raw_files import sha256
from push_scripts.errors import PushError, explain_errors
from push_scripts.history import Version
from push_scripts.hub import PushedSpace, Target, publish, require_token
from push_scripts.push_options import PushOptions

_OWNED = re.compile(r"\w+\.py|requirements\.txt")


def push_metric(
    repo: str,
    options: PushOptions | None = None,
) -> PushedSpace:
    """Publish the metrics of response selection and intents in one commit.

    Args:
        repo: Repository, `org/name`; created if missing. The name must be a Python identifier, for `evaluate.load`.
        options: How to push.

    Raises:
        PushError: The name is not an identifier, or the Hub refused.

    Example:
        >>> from push_scripts.push_options import PushOptions
        >>> "README.md" in push_metric("ORG/dialogue_metrics", PushOptions(dry_run=True)).sizes
        True
    """
    from cube_model.metrics.evaluate_metrics import write_metric_folder

    options = options or PushOptions()
    target = Target(repo, "space", options)
    name = repo.split("/")[1]
    if not name.isidentifier():
        raise PushError(f"--repo {repo}: `evaluate.load` imports a file of that name; use letters, digits and _ only")
    if not options.dry_run:
        require_token()
    with explain_errors(repo, "the Hub"), temporary_folder() as folder:
        metric_folder = write_metric_folder(Path(folder, name))
        card = metric_folder / "README.md"
        card.write_text(card.read_text(encoding="utf-8").replace(f"ORG/{name}", repo), encoding="utf-8")
        files = {path.name: path for path in sorted(metric_folder.iterdir())}
        sizes = {path: file.stat().st_size for path, file in files.items()}
        label = f"metrics {sha256(files[name + '.py'])[:16]}"
        published = (
            None if options.dry_run else publish(target, files, _OWNED, Version(label, version("dialogue-cube")))
        )
    return PushedSpace(sizes, published)
