"""The oldest versions that `make test-oldest` installs are not newer than those that the tests usually run with."""

import re
from pathlib import Path

from packaging.version import Version

from docs.oldest import oldest

ROOT = Path(__file__).parents[2]


def usual_versions():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    matches = [re.match(r"([\w.-]+)==([\w.]+)", line) for line in lines if "<" not in line]
    return {match[1].lower().replace("_", "-"): Version(match[2]) for match in matches if match}


def test_no_lowest_version_is_above_the_tested_one():
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
    tested = usual_versions()
    above = {n: v for n, v in lowest.items() if Version(v) > tested.get(n.lower().replace("_", "-"), Version("999"))}
    assert above == {}
