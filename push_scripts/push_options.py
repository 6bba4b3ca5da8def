"""How to publish: the options of every `dialogue-cube push` command and `push_*` function."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dataset_builders.common.options import Options, option
from dataset_builders.common.outputs import Output, OutputKind, output_file
from push_scripts.errors import PushError

_MARKS = ("dialogue-cube", "dialogue_cube", "cube_model", "- cube\n", "embedding of a question is close to that of its")


def _is_card(file: Path) -> bool:
    """Whether a file is a card of this package: all have this tag, and one of these texts."""
    text = file.read_text(encoding="utf-8", errors="replace")
    header = text.partition("\n---")[0]
    is_card = header.startswith("---\n") and "- dialogue" in header.splitlines()
    return not text or (is_card and any(mark in text for mark in _MARKS))


_CARD_FILE = OutputKind("`dialogue-cube push`", "--card", _is_card, error=PushError)


@dataclass(frozen=True)
class PushOptions(Options, error=PushError):
    """How to push to a repository on the Hub.

    Raises:
        PushError: The options contradict each other, or `card` is a file that is no card.

    Example:
        >>> PushOptions(tag="v1.0", create_pr=True)
        Traceback (most recent call last):
        push_scripts.errors.PushError: --create-pr and --tag exclude each other: tag the version after the merge
    """

    private: bool = option(
        False,
        "Make the repository private. Rows that may not be redistributed are held back all the same.",
        flags=("--private",),
    )
    create_pr: bool = option(
        False, "Open a pull request against the main branch instead of committing.", flags=("--create-pr",)
    )
    tag: str | None = option(None, "Name of this version, such as v1.0.", none="none")
    revision: str | None = option(None, "Branch to commit to, created if missing.", none="the main branch")
    message: str | None = option(
        None, "Title of the commit.", flags=("--message", "-m"), none="Upload dataset, model or space"
    )
    restricted_data: bool = option(
        False,
        "Publish a model although its training data may not be redistributed, or their licence is unknown; its card "
        "says so.",
        flags=("--restricted-data",),
    )
    overwrite: bool = option(False, "Replace a revision that is newer than what is pushed.", flags=("--overwrite",))
    dry_run: bool = option(False, "List what would be uploaded; no server is contacted.", flags=("--dry-run",))
    card: str | None = option(
        None, "Markdown file to write the published card to, for reading it with --dry-run first.", none="none"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.card:
            Output(self.card, _CARD_FILE).check()
        if self.create_pr and self.revision:
            raise PushError("--create-pr opens a pull request against the main branch: leave out --revision")
        if self.create_pr and self.tag:
            raise PushError("--create-pr and --tag exclude each other: tag the version after the merge")

    def write_card(self, text: str) -> None:
        """Write the card of a dataset or model to the file `card`, if there is one; an earlier card there is replaced.

        Raises:
            PushError: The file is no card.
            OSError: It cannot be written.
        """
        if self.card:
            with output_file(self.card, _CARD_FILE) as file:
                file.write_text(text, encoding="utf-8")
