"""The lowest versions that `make test-oldest` installs are versions that pip can find beside the tested ones."""

import re
from pathlib import Path

from packaging.version import Version

from docs.oldest import oldest

ROOT = Path(__file__).parents[2]


def pinned():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = [re.match(r"([\w.-]+)==([\w.]+)", line) for line in lines if "<" not in line]
    return {match[1].lower().replace("_", "-"): Version(match[2]) for match in found if match}


def test_every_dependency_states_a_lowest_version_that_is_not_above_the_tested_one():
    lowest = dict(line.split("==") for line in oldest())
    assert {
        "datasets",
        "huggingface_hub",
        "transformers",
        "accelerate",
        "torch",
        "evaluate",
        "safetensors",
    } <= lowest.keys()
    tested = pinned()
    above = {n: v for n, v in lowest.items() if Version(v) > tested.get(n.lower().replace("_", "-"), Version("999"))}
    assert above == {}
