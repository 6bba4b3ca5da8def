"""The rows of a dataset that the benchmark reads, each read once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from cube_model.data.hub import data_files, read_rows
from cube_model.data.selection import is_spoken
from cube_model.data.turns import Turns, read_turns
from cube_model.errors import ModelError

if TYPE_CHECKING:
    from cube_model.evaluation.benchmark.config import BenchmarkConfig

_ADVICE = {
    "dialogues": "`build` puts a tenth of the dialogues into it: add dialogues, or a file named test.csv in the folder "
    "of `build --own`",
    "downstream": "build it with an intent set that has test rows, such as banking77",
}
_ADVICE["pairs"] = _ADVICE["dialogues"]


class NoDataError(ModelError):
    """The dataset has nothing for a task."""


class Inputs:
    """Test rows of a dataset, and the training rows of what is learnt from them.

    Args:
        config: Configuration.

    Attributes:
        available: Sources of the parts of the dataset that have been asked for.
        left_out: Task and reason of what the benchmark leaves out.
    """

    def __init__(self, config: BenchmarkConfig) -> None:
        self.config = config
        self.available: set[str] = set()
        self.left_out: list[dict[str, str]] = []

    def leave_out(self, task: str, reason: str) -> None:
        """Record that something is left out.

        Args:
            task: Task of the benchmark.
            reason: What, and why.
        """
        self.left_out.append({"task": task, "reason": reason})

    @property
    def data(self) -> str:
        """The dataset.

        Raises:
            NoDataError: None was given.
        """
        if self.config.data is None:
            raise NoDataError("no dataset: pass --data, or only --tasks actions,cost with --action-set")
        return self.config.data

    def sources(self, part: str) -> list[str]:
        """Return the selected sources that a config of the dataset has test rows of, in its order.

        Args:
            part: `pairs`, `dialogues` or `downstream`.

        Raises:
            NoDataError: There is no dataset, no such config, no test split or no selected source.
        """
        if "test" not in (splits := self._splits(part)):
            only = f", only {', '.join(splits)}" if splits else ""
            raise NoDataError(f"{self.data}: no test split of the {part} config{only}; {_ADVICE[part]}")
        table = read_rows(self.data, part, "test", ("source",))
        names = [str(name) for name in table["source"].unique().to_pylist()]
        self.available |= set(names)
        selection = [name for name in names if self.config.sources is None or name in self.config.sources]
        if not selection:
            wanted = ", ".join(self.config.sources or ())
            raise NoDataError(f"{self.data}: no test rows of {wanted} in the {part} config; it has {', '.join(names)}")
        return selection

    def wants_language(self, tag: str) -> bool:
        """Return whether `languages` selects a BCP 47 tag."""
        return is_spoken(tag, self.config.languages)

    @cached_property
    def scenarios(self) -> dict[str, str]:
        """What the users of the test dialogues were asked to do, by `dialogue_id`, where the source says it."""
        table = read_rows(self.data, "dialogues", "test", ("dialogue_id", "scenario"))
        rows = zip(table["dialogue_id"].to_pylist(), table["scenario"].to_pylist(), strict=True)
        return {dialogue: scenario for dialogue, scenario in rows if scenario}

    def _splits(self, part: str) -> list[str]:
        try:
            return list(data_files(self.data, part))
        except ModelError as error:
            raise NoDataError(str(error)) from error

    @cached_property
    def turns(self) -> Turns:
        """Turns of the test split.

        Raises:
            ModelError: See `sources` and `read_turns`.
        """
        return self._turns("test", self.sources("dialogues"))

    @cached_property
    def training_turns(self) -> Turns | None:
        """Turns of the train split, of sources with test turns; None if there are none."""
        if "train" not in self._splits("dialogues"):
            return None
        wanted = self.sources("dialogues")
        names = read_rows(self.data, "dialogues", "train", ("source",))["source"].unique().to_pylist()
        sources = [name for name in wanted if name in names]
        return self._turns("train", sources) if sources else None

    @cached_property
    def texts(self) -> list[str]:
        """Utterances of the test split: turns, or those of intent sets where there are no dialogues."""
        try:
            return self.turns.texts
        except ModelError:
            sources = set(self.sources("downstream"))
            table = read_rows(self.data, "downstream", "test", ("source", "utterance"))
            rows = zip(table["source"].to_pylist(), table["utterance"].to_pylist(), strict=True)
            return [text for source, text in rows if source in sources]

    def _turns(self, split: str, sources: list[str]) -> Turns:
        return read_turns(self.data, split, sources=sources, languages=self.config.languages)
