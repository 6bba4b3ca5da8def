"""Settings and fixtures that all tests share."""

import json
import os
import signal
from importlib.metadata import version
from pathlib import Path

import pytest

from support.shared import SHARED, shared_folder

pytest_plugins = ("hub.fixtures", "support.cube_fixtures", "support.dashboard_fixtures")


def pytest_configure() -> None:
    """Ctrl-C stops what is tested even where a script started the tests in the background, which ignores it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: what is left for the end is short, so that no process waits long for the other."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_report_header() -> str:
    """The versions that the tests pass with."""
    names = ("datasets", "huggingface_hub", "transformers", "accelerate", "torch", "evaluate", "safetensors")
    return "core: " + ", ".join(f"{name} {version(name)}" for name in names)


@pytest.fixture(scope="session")
def corpora() -> Path:
    """Folder with the real raw corpora; skips where it is not, fails where it was promised by the setting."""
    root = shared_folder() / "corpora"
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
    from dataset_builders.corpus.build import build_dataset

    out = tmp_path_factory.mktemp("built") / "dataset"
    build_dataset([], sample_raw, out, cache_dir=cache_dir)
    return out


@pytest.fixture
def parse(tmp_path):
    """Raw files of one source -> its rows by split."""

    def run(name, files: dict[str, object], config=None):
        for path, content in files.items():
            target = tmp_path / "raw" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                target.write_bytes(content)
            else:
                target.write_text(content if isinstance(content, str) else json.dumps(content), newline="")
        from dataset_builders.sources.registry import get_builder

        builder = get_builder(name)(data_dir=tmp_path / "raw", config_name=config, cache_dir=tmp_path / "cache")
        builder.download_and_prepare()
        return {split: list(rows) for split, rows in builder.as_dataset().items()}

    return run
