"""The oldest versions that `pyproject.toml` allows, as constraints for pip: `make test-oldest`."""

import re
import sys
from pathlib import Path

import tomllib

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def oldest():
    """name==version of every dependency, those of the extras too; each must state its lowest version."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    stated = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    return [_lowest(line) for line in stated if not line.startswith(f"{project['name']}[")]


def _lowest(requirement):
    found = re.fullmatch(r"([\w.-]+)\s*(?:>=|==)\s*([\w.]+)", requirement.partition(";")[0].strip())
    if found is None:
        raise ValueError(f"pyproject.toml: {requirement!r} states no lowest version")
    return f"{found[1]}=={found[2]}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(oldest()) + "\n")
