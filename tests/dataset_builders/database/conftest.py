"""The invented sample with its quality files, and its database; both paths have signs that need quoting."""

import pytest

from dataset_builders.database import build_database
from support.quality_folder import with_quality


@pytest.fixture(scope="module")
def folder(sample_dataset, tmp_path_factory):
    return with_quality(sample_dataset, tmp_path_factory.mktemp("data") / "a folder, [with] 'signs'*")


@pytest.fixture(scope="module")
def database(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("database") / "it's a.duckdb"
    build_database(folder, out)
    return out
