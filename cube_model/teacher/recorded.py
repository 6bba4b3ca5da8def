"""The encoder that a trained result records: loaded again with the same settings, and verified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cube_model.errors import ModelError
from cube_model.teacher.find import is_known_or_local
from cube_model.teacher.fingerprint import setting_differences
from cube_model.teacher.teacher import Teacher


def load_recorded(
    recorded: Mapping[str, Any],
    location: str | None = None,
    device: str | None = None,
    *,
    what: str = "the core",
    kind: str = "teacher",
) -> Teacher:
    """Load the encoder that a result was trained with.

    Args:
        recorded: What `Teacher.describe` returned then.
        location: Name, folder or Hub repository of the encoder; of the recorded repository, the recorded revision.
            Default: the recorded name, unless it would be downloaded from a repository that only the record names. Of
            short names, this package pins the commit, not the record.
        device: Torch device. Default: the first accelerator, else the CPU.
        what: The result, for messages.
        kind: What an encoder is called where it is passed: `teacher` or `encoder`.

    Raises:
        ModelError: The encoder is unavailable, has another fingerprint, or would be downloaded unasked.
    """
    name = location or recorded["name"]
    if location is None and not is_known_or_local(name):
        article = "an" if kind[0] in "aeiou" else "a"
        raise ModelError(
            f"{what} was trained with {name}, {article} {kind} that would be downloaded from the Hub: pass --{kind} "
            f"{name} (in Python {kind}=...) if you trust it, or the folder that holds it"
        )
    settings: dict[str, Any] = {
        option: recorded.get(option) for option in ("pooling", "prefix", "normalize", "max_length")
    }
    try:
        loaded = Teacher.load(
            name,
            recorded["dtype"],
            device,
            revision=recorded.get("revision") if location == recorded["name"] else None,
            dimension=recorded.get("dimension"),
            **settings,
        )
    except ModelError as error:
        raise ModelError(
            f"{error} ({what} was trained with {recorded['name']}; pass its location with --{kind})"
        ) from error
    check_recorded(recorded, loaded, what=what, kind=kind)
    return loaded


def check_recorded(
    recorded: Mapping[str, Any], teacher: Teacher, *, what: str = "the core", kind: str = "teacher"
) -> None:
    """Check that an encoder is the recorded one.

    Args:
        recorded: What `Teacher.describe` returned then; empty if nothing is recorded.
        teacher: Encoder to check.
        what: See `load_recorded`.
        kind: See `load_recorded`.

    Raises:
        ModelError: The fingerprint (weights, tokenizer, pooling, prefix, dtype, ...) differs from the recorded one.
    """
    if teacher.fingerprint == recorded.get("fingerprint"):
        return
    raise ModelError(
        f"{kind} {teacher.name} (fingerprint {teacher.fingerprint[:12]}) is not the one {what} was trained with: "
        f"{recorded.get('name')} (fingerprint {str(recorded.get('fingerprint'))[:12]}); pass that one with --{kind}"
        + setting_differences(dict(recorded), teacher.describe())
    )
