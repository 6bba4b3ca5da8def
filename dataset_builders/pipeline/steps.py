"""Steps with inputs and outputs, like a small make: a step runs when what it depends on is not what it last saw.

A finished step leaves a stamp: its inputs one by one, so that a reason can be given, its outputs by size and time, and
a digest of what it made, so that a step that made the same again starts nothing else. The stamp is taken away before
the step runs and written when its outputs are whole: a run that is killed goes on from the last finished step.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from dataset_builders.common.errors import DataError
from dataset_builders.common.files import write_whole
from dataset_builders.pipeline.digests import DIGEST, digest_of, signature

State = Literal["up to date", "runs", "may run", "done", "failed", "skipped"]

_NEW = "not made yet"

_SHOWN = 2
"""So many causes are named; the others are counted."""


@dataclass(frozen=True)
class Product:
    """What a step made.

    Attributes:
        digest: Of what it made; equal digests start no later step. None: the inputs stand for it.
        size: In bytes; None: that of the outputs.
    """

    digest: str | None = None
    size: int | None = None


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        name: Unique.
        inputs: Everything that it depends on, by name; digests begin with `DIGEST`. Called when all that it needs
            is done.
        run: Does it. Its outputs appear whole or not at all.
        outputs: Files and folders, no two of one name.
        needs: Steps that must have succeeded.
        joins: Steps of which one must have succeeded: it takes what there is.
    """

    name: str
    inputs: Callable[[], Mapping[str, str]]
    run: Callable[[], Product]
    outputs: tuple[Path, ...] = ()
    needs: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()


@dataclass
class Outcome:
    """What became of a step.

    Attributes:
        step: Its name.
        state: What became of it.
        why: Why it ran, would run, failed or was skipped.
        seconds: How long it took, when it last ran.
        size: Bytes that it made.
    """

    step: str
    state: State
    why: str = ""
    seconds: float | None = None
    size: int | None = None


@dataclass
class Stamps:
    """The stamps of finished steps, JSON files in a folder.

    Args:
        folder: Where they lie.
    """

    folder: Path
    _read: dict[str, dict[str, Any] | None] = field(default_factory=dict)

    def get(self, name: str) -> dict[str, Any] | None:
        """The stamp of a step; None when it never finished."""
        if name not in self._read:
            try:
                self._read[name] = json.loads(self._path(name).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                self._read[name] = None
        return self._read[name]

    def digest(self, name: str) -> str:
        """Digest of what a finished step made."""
        stamp = self.get(name)
        return str(stamp["digest"]) if stamp else ""

    def remove(self, name: str) -> None:
        """Before a step runs."""
        self._path(name).unlink(missing_ok=True)
        self._read[name] = None

    def write(self, step: Step, inputs: Mapping[str, str], product: Product, seconds: float) -> dict[str, Any]:
        """After a step ran."""
        outputs = {path.name: signature(path) for path in step.outputs}
        size = sum(file[0] for files in outputs.values() for file in files.values())
        stamp = {
            "step": step.name,
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "seconds": round(seconds, 2),
            "size": size if product.size is None else product.size,
            "digest": product.digest or digest_of(f"{name}={value}" for name, value in sorted(inputs.items())),
            "inputs": dict(inputs),
            "outputs": outputs,
        }
        write_whole(self._path(step.name), json.dumps(stamp, indent=1, ensure_ascii=False) + "\n")
        self._read[step.name] = stamp
        return stamp

    def _path(self, name: str) -> Path:
        return self.folder / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}.json"


def reason(step: Step, inputs: Mapping[str, str], stamp: Mapping[str, Any] | None) -> str | None:
    """Why a step must run, in words; None when it is up to date."""
    if stamp is None:
        return _NEW
    then = stamp["inputs"]
    causes = []
    for name in sorted(set(then) | set(inputs)):
        old, new = then.get(name), inputs.get(name)
        if old == new:
            continue
        if old is None or new is None:
            causes.append(f"{'new' if old is None else 'gone'}: {name}")
        elif new.startswith(DIGEST):
            causes.append(f"{name} changed")
        else:
            causes.append(f"{name}: {old} -> {new}")
    for path in step.outputs:
        left, found = stamp["outputs"].get(path.name), signature(path)
        if not found:
            causes.append(f"{path} is missing")
        elif left != found:
            causes.append(f"{path} is not as it was left")
    if not causes:
        return None
    more = f" and {len(causes) - _SHOWN} more" if len(causes) > _SHOWN else ""
    return ", ".join(causes[:_SHOWN]) + more


def plan(steps: Sequence[Step], stamps: Stamps) -> list[Outcome]:
    """What a run would do: a step whose inputs are still to be made `may run`, if they turn out to have changed."""
    found: dict[str, Outcome] = {}
    for step in steps:
        stamp = stamps.get(step.name)
        waiting = [name for name in (*step.needs, *step.joins) if found[name].state in ("runs", "may run")]
        state: State
        if waiting and stamp is not None:
            state, why = "may run", f"if {waiting[0]} makes something else"
        else:
            why = _NEW if stamp is None else reason(step, step.inputs(), stamp) or ""
            state = "runs" if why else "up to date"
        found[step.name] = _outcome(step.name, state, why, stamp)
    return list(found.values())


def run(
    steps: Sequence[Step],
    stamps: Stamps,
    keep_going: bool = False,
    tell: Callable[[Outcome], None] = lambda _: None,
    begin: Callable[[Step, str], None] = lambda *_: None,
) -> list[Outcome]:
    """Run what is not up to date, in order.

    Args:
        steps: Every step after those that it needs.
        stamps: Of earlier runs.
        keep_going: Report a step that fails, and run those that do not need it.
        tell: Called with every outcome.
        begin: Called before a step runs, with the reason.

    Raises:
        DataError, OSError: A step failed, and it is not to keep going.
    """
    found: dict[str, Outcome] = {}
    for step in steps:
        outcome = found[step.name] = _run(step, stamps, found, keep_going, begin)
        tell(outcome)
    return list(found.values())


def _run(
    step: Step, stamps: Stamps, found: Mapping[str, Outcome], keep_going: bool, begin: Callable[[Step, str], None]
) -> Outcome:
    lost = [name for name in (*step.needs, *step.joins) if found[name].state in ("failed", "skipped")]
    if any(name in step.needs for name in lost) or (step.joins and len(lost) >= len(step.joins)):
        return Outcome(step.name, "skipped", f"{lost[0]} failed")
    try:
        inputs = step.inputs()
        why = reason(step, inputs, stamps.get(step.name))
        if why is None:
            return _outcome(step.name, "up to date", "", stamps.get(step.name))
        begin(step, why)
        stamps.remove(step.name)
        started = time.monotonic()
        product = step.run()
    except (DataError, OSError) as error:
        stamps.remove(step.name)
        if not keep_going:
            raise
        return Outcome(step.name, "failed", str(error))
    stamp = stamps.write(step, inputs, product, time.monotonic() - started)
    return _outcome(step.name, "done", why, stamp)


def _outcome(name: str, state: State, why: str, stamp: Mapping[str, Any] | None) -> Outcome:
    if stamp is None:
        return Outcome(name, state, why)
    return Outcome(name, state, why, stamp["seconds"], stamp["size"])
