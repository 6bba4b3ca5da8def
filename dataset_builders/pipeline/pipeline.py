"""Run or plan the pipeline: from a config to the outcome of each step."""

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
    """Receives the events of a run. This class ignores them; that of the command line prints them."""

    def planned(self, steps: int) -> None:
        """The number of steps is known."""

    def begins(self, step: str, why: str) -> None:
        """A step begins; `why` is the reason."""

    def progress(self, what: str, done: int, total: int) -> None:
        """A step has finished `done` of `total` parts."""

    def command(self, shown: str) -> None:
        """A command begins, whose output goes to the terminal."""

    def ends(self, outcome: Outcome) -> None:
        """A step has ended."""

    def warns(self, line: str) -> None:
        """There is a warning for the user."""


def plan_pipeline(config: PipelineConfig, listener: Listener | None = None) -> list[Outcome]:
    """Plan a run: what each step would do, and why. Writes nothing.

    Raises:
        DataError: The config names something that does not exist.
    """
    context, steps = _prepare(config, listener or Listener())
    outcomes = plan(steps, context.stamps)
    if any(outcome.state == "runs" for outcome in outcomes):
        context.options()  # to report wrong values now
    return outcomes


def run_pipeline(config: PipelineConfig, listener: Listener | None = None) -> list[Outcome]:
    """Bring everything in `config.out` up to date.

    Args:
        config: Config of the run.
        listener: Receiver of the events.

    Returns:
        The outcome of each step; steps may have failed only with `config.keep_going`.

    Raises:
        DataError, OSError: A step failed, the config names something that does not exist, or another run uses the same
            folder.
    """
    listener = listener or Listener()
    context, steps = _prepare(config, listener)
    out, own = context.place.out, context.place.own
    with (
        exclusive(own / "lock", lambda holder: _busy(out, holder)),
        _log(own / "pipeline.log") as log,
        context.resources,
    ):
        is_checked = False

        def begin(step: Step, why: str) -> None:
            nonlocal is_checked
            if not is_checked:  # takes a second, so only if a step runs
                context.options()
                is_checked = True
            log(f"{step.name}: begins: {why}")
            listener.begins(step.name, why)

        def report(outcome: Outcome) -> None:
            if outcome.state != "up to date":
                took = f" in {outcome.seconds:.1f} s" if outcome.state == "done" else f": {outcome.why}"
                log(f"{outcome.step}: {outcome.state}{took}")
            listener.ends(outcome)
            context.files.save()

        listener.planned(len(steps))
        try:
            return run(steps, context.stamps, config.keep_going, report, begin)
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
    return DataError(f"{folder}: another pipeline uses this folder, {holder}; wait for it or name another --out")


@contextmanager
def _log(path: Path) -> Iterator[Callable[[str], None]]:
    with path.open("a", encoding="utf-8", buffering=1) as file:
        yield lambda line: _write(file, line)


def _write(file: TextIO, line: str) -> None:
    file.write(f"{datetime.now().astimezone().isoformat(timespec='seconds')} {line}\n")
