"""How small files are read: whatever is wrong with one is an error of one line with file, place, cause and advice."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dataset_builders.common.errors import DataError, DialogueCubeError

_LINE_END = re.compile(r"\r\n|\n|\r")
_KINDS = {dict: "an object", list: "a list", str: "a string", int: "an integer", float: "a number", bool: "a boolean"}

Shape = type | tuple[type, ...] | Mapping[str, Any] | Sequence[Any]
"""Form of a JSON value: types; an object by its keys, of which `"*"` is any; a list by the form of its items."""


def regular(path: Path) -> Path:
    """Return the path of a file that is read as a whole: a pipe would wait for ever, and a device may never end.

    Raises:
        OSError: It is a pipe, socket or device.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "a pipe, socket or device; save it as a file")
    return path


def read_json(path: Path, advice: str, shape: Shape = dict, *, error: type[DialogueCubeError] = DataError) -> Any:
    """Read a JSON file.

    Args:
        path: The file.
        advice: What to do if it cannot be used, for the message.
        shape: Expected form; see `misfit`.
        error: Type of the error.

    Raises:
        DialogueCubeError: The file is missing, unreadable, not JSON, or has another form; of the type `error`.
    """
    try:
        text = regular(path).read_text(encoding="utf-8")
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror}); {advice}") from problem
    except UnicodeDecodeError as problem:
        raise error(f"{path}: damaged (byte {problem.start}: not UTF-8); {advice}") from problem
    return parse_json(text, str(path), advice, shape, error=error)


def parse_json(
    text: str, where: str, advice: str, shape: Shape = dict, *, error: type[DialogueCubeError] = DataError
) -> Any:
    """Parse the text of a JSON file; `where` names it in messages. See `read_json`."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError as problem:
        place = f"line {problem.lineno}, column {problem.colno}"
        raise error(f"{where}: damaged ({place}: {problem.msg}); {advice}") from problem
    except ValueError as problem:  # integers of thousands of digits
        raise error(f"{where}: damaged ({problem}); {advice}") from problem
    except RecursionError as problem:
        raise error(f"{where}: nested too deeply; {advice}") from problem
    if wrong := misfit(content, shape):
        raise error(f"{where}: damaged ({wrong}); {advice}")
    return content


def misfit(value: Any, shape: Shape, name: str = "") -> str | None:
    """Say where a JSON value has another form than expected; None if it has that form.

    Args:
        value: The value.
        shape: Expected form. Keys that are missing or null fit, unless their name ends with `!`.
        name: Name of the value in the message.

    >>> misfit({"rows": {"woz": 3}}, {"rows": {"*": {"in!": int}}})
    '`rows.woz` is 3 instead of an object'
    >>> misfit({"rows": {"woz": {}}}, {"rows": {"*": {"in!": int}}})
    '`rows.woz.in` is missing'
    """
    if isinstance(shape, Mapping):
        if not isinstance(value, dict):
            return _unlike(value, "an object", name)
        prefix = f"{name}." if name else ""
        for key, inner in shape.items():
            required, key = key.endswith("!"), key.removesuffix("!")
            if key != "*" and value.get(key) is None:
                if required:
                    return f"`{prefix}{key}` is missing"
                continue
            for each in value if key == "*" else (key,):
                if wrong := misfit(value[each], inner, f"{prefix}{each}"):
                    return wrong
        return None
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _unlike(value, "a list", name)
        wrongs = (misfit(each, shape[0], f"{name}[{number}]") for number, each in enumerate(value))
        return next((wrong for wrong in wrongs if wrong), None)
    kinds = shape if isinstance(shape, tuple) else (shape,)
    if (isinstance(value, bool) and bool not in kinds) or not isinstance(value, kinds):
        return _unlike(value, " or ".join(_KINDS[kind] for kind in kinds), name)
    return None


def _unlike(value: Any, expected: str, name: str) -> str:
    text = json.dumps(value)
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    return f"{f'`{name}`' if name else 'it'} is {shown} instead of {expected}"


def text_lines(text: str) -> list[str]:
    r"""Split a text at `\n`, `\r\n` and `\r`; `str.splitlines` also splits at characters inside a sentence, as U+2028.

    >>> text_lines("one\u2028still one\r\ntwo\n")
    ['one\u2028still one', 'two']
    """
    lines = _LINE_END.split(text)
    return lines if lines[-1] else lines[:-1]


def is_text(text: str) -> bool:
    """Whether a string can be written as UTF-8: it has no lone surrogate, half of a character."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
