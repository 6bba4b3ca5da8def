"""Push an assistant to a model repository on the Hub; `DialogueAssistant.from_pretrained("org/name")` loads it.

An assistant quotes its entries, so all of them must pass the licence gate: one that holds own chats is refused as a
whole, since its threshold and its topics follow from them too.

>>> from push_scripts.push_assistant import push_assistant
>>> from push_scripts.push_options import PushOptions
>>> push_assistant("assistant", "my-org/assistant", PushOptions(dry_run=True))  # doctest: +SKIP
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builders.common.files import temporary_folder
from dataset_builders.sources.raw_files import sha256
from push_scripts.errors import PushError, explain_errors
from push_scripts.history import Version
from push_scripts.hub import Published, Target, publish, require_token
from push_scripts.license_gate import GateReport, LicenseGate
from push_scripts.push_options import PushOptions

OWNED = re.compile(
    r"manifest\.json|calibration\.json|topics\.safetensors|segments/.+|encoder/.+|core/.+|intents/.+|README\.md"
)
"""Files of an earlier push that a new one replaces or deletes."""

_NAMED = 5


@dataclass(frozen=True)
class PushedAssistant:
    """A pushed assistant, or the one that a dry run would push.

    Attributes:
        sizes: Path in the repository -> size in bytes.
        card: Text of the card.
        published: Commit on the Hub; None after a dry run.
    """

    sizes: dict[str, int]
    card: str
    published: Published | None


def push_assistant(assistant: str | Path, repo: str, options: PushOptions | None = None) -> PushedAssistant:
    """Publish an assistant in one commit: without what was removed from it, and without any log.

    Args:
        assistant: Folder that `dialogue-cube assistant build` wrote.
        repo: Repository, `org/name`; created if missing.
        options: How to push.

    Raises:
        PushError: The folder is no assistant or damaged, one of its answers may not be redistributed, its encoder
            or intents were trained on such data, or the Hub refused.
    """
    from cube_model.assistant.published import live_entries, write_published
    from cube_model.errors import ModelError

    options = options or PushOptions()
    target = Target(repo, "model", options)
    if not options.dry_run:
        require_token()
    folder = Path(assistant)
    try:
        table, manifest = live_entries(folder)
    except ModelError as error:
        raise PushError(f"--assistant {error}") from error
    _check_entries(folder, table)
    _check_training(folder, manifest, options)
    with explain_errors(repo, "the Hub"), temporary_folder() as name:
        staged = Path(name) / "assistant"
        try:
            card = write_published(folder, staged, repo)
        except ModelError as error:
            raise PushError(f"--assistant {error}") from error
        options.write_card(card)
        files = {path.relative_to(staged).as_posix(): path for path in sorted(staged.rglob("*")) if path.is_file()}
        sizes = {path: file.stat().st_size for path, file in files.items()}
        published = None if options.dry_run else publish(target, files, OWNED, _version(files, manifest))
    return PushedAssistant(sizes, card, published)


def _check_entries(folder: Path, table: Any) -> None:
    report, mask = GateReport(), LicenseGate({}).passes(table)
    report.count("answers", table, mask)
    held_back = report.held_back_by_source()
    if not held_back:
        return
    names = [f"{source} ({counts['answers']:,})" for source, counts in held_back.items()]
    more = f" and {len(names) - _NAMED} more sources" if len(names) > _NAMED else ""
    raise PushError(
        f"--assistant {folder}: {sum(report.held_back.values()):,} of its {len(table):,} answers may not be "
        f"redistributed: {', '.join(names[:_NAMED])}{more}; nothing was pushed. Build it without them (--sources, "
        "without --own)"
    )


def _check_training(folder: Path, manifest: Mapping[str, Any], options: PushOptions) -> None:
    restricted = manifest.get("restricted")
    if restricted is None:
        restricted = {"an unknown part": "not recorded"}
    if restricted and not options.restricted_data:
        names = ", ".join(f"{part} ({terms})" for part, terms in restricted.items())
        raise PushError(
            f"--assistant {folder}: parts were trained on data that may not be redistributed, or whose licence is "
            f"unknown: {names}; nothing was pushed. Build it without them, or pass --restricted-data if their owners "
            "let you publish it"
        )


def _version(files: Mapping[str, Path], manifest: Mapping[str, Any]) -> Version:
    """Label the content of all files but the card, which may change for the same assistant."""
    digests = {path: sha256(file) for path, file in files.items() if path != "README.md"}
    program = (manifest.get("versions") or {}).get("dialogue-cube", "0")
    return Version(f"assistant {hashlib.sha256(json.dumps(digests).encode()).hexdigest()[:16]}", str(program))
