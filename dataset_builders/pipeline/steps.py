"""Steps with inputs and outputs, like a small make: a step runs if its inputs differ from those of its last run.

A finished step leaves a stamp with its inputs (to name the reason of the next run), the sizes and times of its outputs,
and a digest of its product (if a run gives the same product, later steps need not run). The stamp is removed before the
step runs and written once its outputs are complete, so a killed run continues after the last finished step.
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
from dataset_builders.common.reading import misfit
from dataset_builders.pipeline.digests import DIGEST, digest_of, signature

State = Literal["up to date", "runs", "may run", "done", "failed", "skipped"]

_NEW = "not made yet"

_MAX_CAUSES = 2
"""Maximum number of causes to name; the others are counted."""


@dataclass(frozen=True)
class Product:
    """The product of a step.

    Attributes:
        digest: Digest of the product, an input of later steps; None takes the digest of the step's inputs.
        size: Size in bytes; None takes the size of the outputs.
    """

    digest: str | None = None
    size: int | None = None


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        name: Unique name.
        inputs: Function that returns everything that the step depends on, by name; digests begin with `DIGEST`. Called
            after all steps that it needs.
        run: Function that does the work and writes the outputs atomically.
        outputs: Files and folders, with unique names.
        needs: Steps that must all succeed.
        joins: Steps of which at least one must succeed.
    """

    name: str
    inputs: Callable[[], Mapping[str, str]]
    run: Callable[[], Product]
    outputs: tuple[Path, ...] = ()
    needs: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()


@dataclass
class Outcome:
    """The outcome of a step, or its plan.

    Attributes:
        step: Name of the step.
        state: Its state.
        why: Why it ran, would run, failed or was skipped.
        seconds: Duration of its last run.
        size: Size of its product in bytes.
    """

    step: str
    state: State
    why: str = ""
    seconds: float | None = None
    size: int | None = None


_STAMP = {
    **{"digest!": str, "seconds!": (int, float), "size!": int},
    **{"inputs!": {"*": str}, "outputs!": {"*": {"*": list}}},
}


@dataclass
class Stamps:
    """The stamps of finished steps.

    Args:
        folder: Folder of their JSON files.
    """

    folder: Path
    _read: dict[str, dict[str, Any] | None] = field(default_factory=dict)

    def get(self, name: str) -> dict[str, Any] | None:
        """The stamp of a step; None if it has not finished, or if its stamp is damaged: then it runs again."""
        if name not in self._read:
            try:
                stamp = json.loads(self._path(name).read_text(encoding="utf-8"))
                self._read[name] = None if misfit(stamp, _STAMP) else stamp
            except (OSError, ValueError, RecursionError):
                self._read[name] = None
        return self._read[name]

    def digest(self, name: str) -> str:
        """Digest of a finished step's product; empty if it has not finished."""
        stamp = self.get(name)
        return str(stamp["digest"]) if stamp else ""

    def remove(self, name: str) -> None:
        """Remove the stamp of a step, before it runs."""
        self._path(name).unlink(missing_ok=True)
        self._read[name] = None

    def write(self, step: Step, inputs: Mapping[str, str], product: Product, seconds: float) -> dict[str, Any]:
        """Write the stamp of a step, after it ran."""
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
    """Why a step must run, as text; None if it is up to date."""
    if stamp is None:
        return _NEW
    old_inputs = stamp["inputs"]
    causes = []
    for name in sorted(set(old_inputs) | set(inputs)):
        old, new = old_inputs.get(name), inputs.get(name)
        if old == new:
            continue
        if old is None or new is None:
            causes.append(f"{'new' if old is None else 'removed'}: {name}")
        elif new.startswith(DIGEST):
            causes.append(f"{name} changed")
        else:
            causes.append(f"{name}: {old} -> {new}")
    for path in step.outputs:
        current = signature(path)
        if not current:
            causes.append(f"{path} is missing")
        elif current != stamp["outputs"].get(path.name):
            causes.append(f"{path} was modified")
    if not causes:
        return None
    more = f" and {len(causes) - _MAX_CAUSES} more" if len(causes) > _MAX_CAUSES else ""
    return ", ".join(causes[:_MAX_CAUSES]) + more


def plan(steps: Sequence[Step], stamps: Stamps) -> list[Outcome]:
    """What a run would do; a step `may run` if an earlier step, which runs, could change its inputs."""
    outcomes: dict[str, Outcome] = {}
    for step in steps:
        stamp = stamps.get(step.name)
        running = [name for name in (*step.needs, *step.joins) if outcomes[name].state in ("runs", "may run")]
        state: State
        if running and stamp is not None:
            state, why = "may run", f"if {running[0]} gives a new result"
        else:
            why = _NEW if stamp is None else reason(step, step.inputs(), stamp) or ""
            state = "runs" if why else "up to date"
        outcomes[step.name] = _outcome(step.name, state, why, stamp)
    return list(outcomes.values())


def run(
    steps: Sequence[Step],
    stamps: Stamps,
    keep_going: bool = False,
    report: Callable[[Outcome], None] = lambda _: None,
    begin: Callable[[Step, str], None] = lambda *_: None,
) -> list[Outcome]:
    """Run the steps that are not up to date, in order.

    Args:
        steps: Steps, each after those that it needs.
        stamps: Stamps of earlier runs.
        keep_going: Whether to continue after a step has failed, with those that do not need it.
        report: Called with each outcome.
        begin: Called before a step runs, with the reason.

    Raises:
        DataError, OSError: A step failed and `keep_going` is false.
    """
    outcomes: dict[str, Outcome] = {}
    for step in steps:
        outcome = outcomes[step.name] = _run(step, stamps, outcomes, keep_going, begin)
        report(outcome)
    return list(outcomes.values())


def _run(
    step: Step, stamps: Stamps, outcomes: Mapping[str, Outcome], keep_going: bool, begin: Callable[[Step, str], None]
) -> Outcome:
    failed = [name for name in (*step.needs, *step.joins) if outcomes[name].state in ("failed", "skipped")]
    if any(name in step.needs for name in failed) or (step.joins and len(failed) >= len(step.joins)):
        return Outcome(step.name, "skipped", f"{failed[0]} failed")
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
