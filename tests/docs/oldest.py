"""Print the oldest versions that `pyproject.toml` allows, as constraints for pip; for `make test-oldest`."""

import re
import sys
from pathlib import Path

import tomllib

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def oldest():
    """Return `name==version` for all dependencies, including those of the extras."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    requirements = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    return [_lowest(line) for line in requirements if not line.startswith(f"{project['name']}[")]


def _lowest(requirement):
    match = re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?\s*(?:>=|==)\s*([\w.]+)", requirement.partition(";")[0].strip())
    if match is None:
        raise ValueError(f"pyproject.toml: {requirement!r} has no lowest version; write name>=version")
    return f"{match[1]}=={match[2]}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(oldest()) + "\n")
