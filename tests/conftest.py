"""Settings and fixtures that all tests share."""

import os
from pathlib import Path

import pytest
from hub.fixtures import *  # noqa: F403  (the loopback Hub)

SHARED = "DIALOGUE_CUBE_SHARED"
"""The one setting for tests on real corpora: a folder with `corpora/`. Default: `shared` beside the checkout."""


@pytest.fixture(scope="session")
def corpora() -> Path:
    """Folder with the real raw corpora; skips where it is not, fails where it was promised by the setting."""
    root = Path(os.environ.get(SHARED) or Path(__file__).parents[2] / "shared") / "corpora"
    if not root.is_dir():
        if os.environ.get(SHARED):
            pytest.fail(f"{SHARED} is set, but there is no {root}")
        pytest.skip(f"no real corpora: set {SHARED} to the folder that holds corpora/")
    return root


@pytest.fixture(scope="session")
def sample_raw(tmp_path_factory) -> Path:
    """The invented sample as raw files."""
    from dataset_builders.sample import write_sample

    out = tmp_path_factory.mktemp("sample") / "raw"
    write_sample(out)
    return out


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory) -> Path:
    """A fresh cache of parsed rows."""
    return tmp_path_factory.mktemp("datasets-cache")


@pytest.fixture(scope="session")
def sample_dataset(sample_raw, cache_dir, tmp_path_factory) -> Path:
    """The dataset folder built from the invented sample."""
    from dataset_builders.build import build

    out = tmp_path_factory.mktemp("built") / "dataset"
    build([], sample_raw, out, cache_dir=cache_dir)
    return out
