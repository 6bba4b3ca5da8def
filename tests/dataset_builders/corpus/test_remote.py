"""A build with raw files, intermediate files and output in a bucket, and on a cluster whose machines share nothing else."""

import hashlib

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.common.execution import ExecutionSettings
from dataset_builders.common.storage import Storage
from dataset_builders.corpus.build import build_dataset

NAMES = ["camrest676"]


@pytest.fixture
def bucket(s3, sample_raw):
    """A bucket with the raw files of the sample."""
    url = s3.bucket()
    for name in NAMES:
        Storage(url).put_folder(sample_raw / name, f"raw/{name}")
    return url


@pytest.fixture(scope="module")
def expected(sample_raw, cache_dir, tmp_path_factory):
    """Digests of the files of a build in folders."""
    out = tmp_path_factory.mktemp("local") / "dataset"
    build_dataset(NAMES, sample_raw, out, cache_dir=cache_dir)
    return digests(Storage(str(out)))


def digests(storage):
    return {name: hashlib.sha256(storage.fetch(name).read_bytes()).hexdigest() for name in storage.below_names("")}


def test_files_in_a_bucket_have_the_bytes_of_those_in_folders(bucket, expected, tmp_path):
    out, scratch = f"{bucket}/dataset", ExecutionSettings(scratch=f"{bucket}/scratch")
    with Storage(out).create("pairs/train-00000-of-00009.parquet") as path:
        path.write_bytes(b"of an earlier build")
    build_dataset(NAMES, f"{bucket}/raw", out, num_proc=2, cache_dir=tmp_path, execution=scratch)
    assert digests(Storage(out)) == expected
    assert not Storage(f"{bucket}/scratch").below_names(""), "intermediate files are deleted at the end"


def test_a_bucket_with_other_files_is_not_written(bucket, tmp_path):
    with Storage(f"{bucket}/photos").create("cat.jpg") as path:
        path.write_bytes(b"cat")
    with pytest.raises(DataError, match=r"contains cat.jpg, which no build wrote"):
        build_dataset(NAMES, f"{bucket}/raw", f"{bucket}/photos", cache_dir=tmp_path)


def test_a_missing_source_in_a_bucket_is_named(bucket, tmp_path):
    with pytest.raises(DataError, match=r"raw/woz: no file there"):
        build_dataset(["woz"], f"{bucket}/raw", tmp_path / "out", cache_dir=tmp_path)
