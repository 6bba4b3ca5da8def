"""The page over a database of the invented sample."""

from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "dataset_builders" / "dashboard" / "app.py"

TABS = ("dialogs", "pairs", "downstream", "quality", "explorer", "model", "licences")


@pytest.fixture(scope="session")
def database(sample_dataset, tmp_path_factory):
    """The database of the invented sample."""
    from dataset_builders.database import build_database

    return build_database(sample_dataset, tmp_path_factory.mktemp("database") / "sample.duckdb").path


@pytest.fixture
def settings(database, monkeypatch):
    """Settings of the page; call it with what differs."""
    from dataset_builders.dashboard.settings import VARIABLE, Settings

    def publish(**options):
        monkeypatch.setenv(VARIABLE, "")  # so that it goes away again
        Settings(**{"database": str(database), **options}).publish()

    publish()
    return publish


@pytest.fixture
def page(settings, monkeypatch):
    """Run the page as a visitor of an address: `page(tab="pairs", source=["sgd"])`."""
    from streamlit.testing.v1 import AppTest

    monkeypatch.setattr("dataset_builders.dashboard.page.PAUSE", 0)  # no browser has anything to draw

    def visit(**address):
        at = AppTest.from_file(str(APP), default_timeout=60)
        for name, value in address.items():
            at.query_params[name] = value
        return at.run()

    return visit


def figures(at):
    """Heading -> number of the large figures."""
    return {metric.label: metric.value for metric in at.metric}
