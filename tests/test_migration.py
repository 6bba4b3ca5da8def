"""What version 0.1.0 wrote opens, or is refused with the command that makes it again."""

import shutil
import tarfile
from pathlib import Path

import pytest

ARCHIVE = Path(__file__).parent / "support" / "versions" / "0.1.0.tar.xz"
PAIRS = 18


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("older")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def old(unpacked, tmp_path, monkeypatch):
    """The folder of a user who has worked with version 0.1.0, as the current folder."""
    folder = shutil.copytree(unpacked, tmp_path / "work")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(folder / "cache"))
    return folder


@pytest.fixture
def run(old, capsys, monkeypatch):
    """Run a command in this process: exit code, and what it printed."""
    import dialogue_cube

    def call(*words):
        code = 0
        monkeypatch.setattr("sys.argv", ["dialogue-cube", *words])
        try:
            dialogue_cube.main()
        except SystemExit as end:
            code = end.code or 0
        output = capsys.readouterr()
        return code, output.out + output.err

    return call


def test_a_dataset_is_asked_and_reported(run):
    columns = "count(*) AS pairs, count(negative) AS mined, count(origin) AS origins"
    code, printed = run("sql", "--data", "dataset", f"SELECT {columns} FROM parquet_pairs")
    assert (code, printed.split()[-2:]) == (0, ["1", "rows"])
    assert str(PAIRS) in printed.split()
    code, printed = run("quality", "--data", "dataset")
    assert code == 0
    assert "may be redistributed" in printed


def test_a_database_is_read_and_brought_up_to_date(old):
    from dataset_builders.dashboard.command import _check
    from dataset_builders.database import build_database, is_current, open_database

    query = "SELECT count(*), count(DISTINCT dialogue_id) FROM pairs"
    with open_database(old / "corpus.duckdb") as connection:
        before = connection.execute(query).fetchone()
        assert connection.execute("FROM dialogue_statistics").fetchall()
    _check(old / "corpus.duckdb", None)  # the dashboard starts
    assert not is_current(old / "corpus.duckdb", old / "dataset")
    assert build_database(old / "dataset", old / "corpus.duckdb").written
    assert is_current(old / "corpus.duckdb", old / "dataset")
    with open_database(old / "corpus.duckdb") as connection:
        assert connection.execute(query).fetchone() == before == (PAIRS, before[1])


def test_a_push_of_a_dataset_names_the_command_that_builds_it(run):
    code, printed = run("push", "dataset", "--data", "dataset", "--repo", "org/data", "--dry-run")
    assert code == 1
    assert "build the dataset again with `dialogue-cube build" in printed
    assert len(printed.splitlines()) == 1


def test_a_core_answers_from_its_index_and_with_its_cache(run, old):
    """The index, the embeddings and the core are those of 0.1.0: nothing is encoded but the question."""
    (old / "questions.txt").write_text("Where is the invoice?\n")
    ask = ("ask", "--model", "core", "--teacher", "tiny", "--data", "dataset")
    several = (*ask, "--top", "3", "--questions", "questions.txt")
    before = (old / "index" / "vectors.safetensors").read_bytes()
    code, printed = run(*several, "--index", "index", "--output", "answers.jsonl")
    assert code == 0, printed
    assert (old / "index" / "vectors.safetensors").read_bytes() == before
    from_index = (old / "answers.jsonl").read_text()
    code, printed = run(*several, "--output", "again.jsonl")
    assert code == 0, printed
    assert (old / "again.jsonl").read_text() == from_index
    assert "encode" not in printed
    code, printed = run(*ask, "--index", "index", "--where", "team=sales", "Hello?")
    assert code == 1
    assert "--overwrite" in printed or "metadata" in printed


def test_a_core_trains_on_an_old_dataset(run, old):
    train = ("train", "--data", "dataset", "--teacher", "tiny", "--epochs", "1", "--validation", "split", "--quiet")
    code, printed = run(*train, "--output", "core", "--overwrite")
    assert code == 0, printed
    code, printed = run("evaluate", "response-selection", "--data", "dataset", "--model", "core")
    assert code == 0, printed


def test_a_training_is_not_resumed(run, old):
    train = ("train", "--data", "dataset", "--teacher", "tiny", "--output", "resumed", "--epochs", "1")
    for more in (("--resume",), (), ("--resume", "--overwrite")):
        code, printed = run(*train, *more)
        assert code == 1
        assert "checkpoints of version 0.1.0, which this version cannot resume; pass --overwrite to start" in printed
    assert len(list((old / ".resumed.training").glob("checkpoint-*"))) == 1


def test_a_pipeline_goes_on_in_its_folder(run, old):
    (old / "faq.csv").write_text("question,answer\nWhere is my red lamp?,Your red lamp is on its way.\n")
    (old / "pipeline.yaml").write_text("out: run\nown: {path: faq.csv, language: en}\ndatabase: false\n")
    code, printed = run("pipeline", "--config", "pipeline.yaml")
    assert code == 0, printed
    assert (old / "run" / "dataset" / "README.md").exists()


def test_a_flow_of_an_older_dataset_names_the_command_that_builds_it(run):
    code, printed = run("flow", "--data", "dataset", "--encoder", "tiny", "--out", "flow")
    assert code == 1
    assert "build it again with `dialogue-cube build --raw-dir RAW --out dataset`" in printed
