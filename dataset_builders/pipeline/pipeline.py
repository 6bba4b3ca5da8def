"""The pipeline as one call: what is wanted in, what became of each step out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from dataset_builders.common.errors import DataError
from dataset_builders.common.files import exclusive
from dataset_builders.common.outputs import Output
from dataset_builders.folder.layout import DATASET
from dataset_builders.pipeline.config import PipelineConfig
from dataset_builders.pipeline.context import Context, Layout
from dataset_builders.pipeline.data_steps import data_steps
from dataset_builders.pipeline.digests import FileDigests
from dataset_builders.pipeline.model_steps import check_model_steps, model_steps
from dataset_builders.pipeline.steps import Outcome, Stamps, Step, plan, run

if TYPE_CHECKING:
    from collections.abc import Iterator


class Listener:
    """Hears what goes on; the command line draws it. Does nothing itself."""

    def planned(self, steps: int) -> None:
        """So many steps there are."""

    def begins(self, step: str, why: str) -> None:
        """A step begins, for this reason."""

    def progress(self, what: str, done: int, total: int) -> None:
        """How far it is."""

    def command(self, shown: str) -> None:
        """A command is run, whose output goes to the terminal."""

    def ends(self, outcome: Outcome) -> None:
        """What became of a step."""

    def warns(self, line: str) -> None:
        """What a person should know."""


def plan_pipeline(config: PipelineConfig, listener: Listener | None = None) -> list[Outcome]:
    """What a run would do and why; nothing is written.

    Raises:
        DataError: The config names something that is not there.
    """
    context, steps = _prepare(config, listener or Listener())
    found = plan(steps, context.stamps)
    if any(outcome.state == "runs" for outcome in found):
        context.options()  # a wrong value shows now
    return found


def run_pipeline(config: PipelineConfig, listener: Listener | None = None) -> list[Outcome]:
    """Bring everything in `config.out` up to date.

    Args:
        config: What is wanted.
        listener: Hears what goes on.

    Returns:
        What became of each step; a failed one only when `config.keep_going`.

    Raises:
        DataError, OSError: A step failed, the config names something that is not there, or another run works in the
            same folder.
    """
    listener = listener or Listener()
    context, steps = _prepare(config, listener)
    out, own = context.place.out, context.place.own
    with exclusive(own / "lock", lambda holder: _busy(out, holder)), _log(own / "pipeline.log") as log:
        is_checked = False

        def begin(step: Step, why: str) -> None:
            nonlocal is_checked
            if not is_checked:  # takes a second: only where something is to be done
                context.options()
                is_checked = True
            log(f"{step.name}: begins: {why}")
            listener.begins(step.name, why)

        def tell(outcome: Outcome) -> None:
            if outcome.state != "up to date":
                took = f" in {outcome.seconds:.1f} s" if outcome.state == "done" else f": {outcome.why}"
                log(f"{outcome.step}: {outcome.state}{took}")
            listener.ends(outcome)
            context.files.save()

        listener.planned(len(steps))
        try:
            return run(steps, context.stamps, config.keep_going, tell, begin)
        except (DataError, OSError, KeyboardInterrupt) as error:
            log(f"stopped: {str(error) or type(error).__name__}")
            raise
        finally:
            context.files.save()


def _prepare(config: PipelineConfig, listener: Listener) -> tuple[Context, list[Step]]:
    if config.out is None:
        raise DataError("name the folder of the results: --out DIR, or `out` in the config")
    place = Layout(config.out)
    Output(place.dataset, DATASET).check()
    context = Context(
        config,
        place,
        Stamps(place.own / "steps"),
        FileDigests(place.own / "digests.json"),
        listener.progress,
        listener.warns,
    )
    check_model_steps(context)
    sources = context.sources()
    return context, [*data_steps(context, sources), *model_steps(context, list(sources), listener.command)]


def _busy(folder: Path, holder: str) -> DataError:
    return DataError(f"{folder}: another pipeline works there, {holder}; wait for it or name another --out")


@contextmanager
def _log(path: Path) -> Iterator[Callable[[str], None]]:
    with path.open("a", encoding="utf-8", buffering=1) as file:
        yield lambda line: _write(file, line)


def _write(file: TextIO, line: str) -> None:
    file.write(f"{datetime.now().astimezone().isoformat(timespec='seconds')} {line}\n")
