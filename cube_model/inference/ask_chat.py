"""The prompt of `dialogue-cube ask` without a question: what was said before is the context of the next question."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from cube_model.inference.retriever import Answer, CubeRetriever

_HELP = "/new starts a new dialogue, /quit ends"


def chat(
    retriever: CubeRetriever, k: int, console: Console, show: Callable[[str, list[Answer]], None], context: list[str]
) -> None:
    """Answer line after line until `/quit` or the end of the input, typed or piped.

    Args:
        retriever: Answers.
        k: Answers shown; the best one is taken as said, and enters the context.
        console: For notes to the user.
        show: Shows a question's answers.
        context: Turns that were said before the first question, oldest first.
    """
    read = retriever.model.config.context_turns
    told = f"the core reads the last {read} turns" if read else "this core reads the question only, not what was said"
    console.print(f"{len(retriever.answers):,} answers; {told}. {_HELP}.")
    turns = list(context)
    for line in _lines(console):
        if line == "/quit":
            return
        if line == "/new":
            turns.clear()
            console.print("A new dialogue.")
        elif line.startswith("/"):
            console.print(f"No such command; {_HELP}.")
        elif line:
            answers = retriever.ask(line, turns, k)
            show(line, answers)
            turns += [line, answers[0].text]


def _lines(console: Console) -> Iterator[str]:
    """Lines typed at a prompt, or piped in."""
    if not sys.stdin.isatty():
        yield from (line.strip() for line in sys.stdin)
        return
    while True:
        try:
            yield console.input("[bold]> [/bold]").strip()
        except EOFError:
            return
