"""Settings and fixtures of all tests."""

import json
import os
import signal
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from filelock import FileLock

from support.shared import SHARED, shared_folder

pytest_plugins = ("hub.fixtures", "support.clusters", "support.cube_fixtures", "support.dashboard_fixtures")


def pytest_configure() -> None:
    """Limit trainings to one thread, and restore the handler of Ctrl-C, which a shell disables in the background.

    Processes of tests share the processors. A training would use all of them, and its threads would wait for each other
    most of the time.
    """
    os.environ.setdefault("LOCAL_WORLD_SIZE", str(os.cpu_count()))
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run files with slow tests first, so that all processes end at about the same time."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_report_header() -> str:
    """Print the versions of the main libraries."""
    names = ("datasets", "huggingface_hub", "transformers", "accelerate", "torch", "evaluate", "safetensors")
    return "core: " + ", ".join(f"{name} {version(name)}" for name in names)


@pytest.fixture(scope="session")
def corpora() -> Path:
    """Folder with the real raw corpora. Without it, the test is skipped, or fails if the setting names it."""
    root = shared_folder() / "corpora"
    if not root.is_dir():
        if os.environ.get(SHARED):
            pytest.fail(f"{SHARED} is set, but {root} does not exist")
        pytest.skip(f"no real corpora: set {SHARED} to a folder with corpora/")
    return root


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """Make a folder once for all processes of the tests, which only read it: `once("name", make)` calls `make(folder)`."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def run(name: str, make: Callable[[Path], object]) -> Path:
        folder = root / "once" / name
        folder.parent.mkdir(exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.exists():  # `make` leaves nothing if it fails
                make(folder)
        return folder

    return run


@pytest.fixture(scope="session")
def sample_raw(once) -> Path:
    """Raw files of the invented sample."""
    from dataset_builders.sample import write_sample

    return once("raw", write_sample)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory) -> Path:
    """A new cache of parsed rows."""
    return tmp_path_factory.mktemp("datasets-cache")


@pytest.fixture(scope="session")
def sample_dataset(once, sample_raw, cache_dir) -> Path:
    """The dataset folder built from the invented sample."""
    from dataset_builders.corpus.build import build_dataset

    return once("dataset", lambda out: build_dataset([], sample_raw, out, cache_dir=cache_dir))


@pytest.fixture
def parse(tmp_path):
    """Parse raw files of a source into rows by split."""

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
