"""Build of a user's own data: the same rows, splits and folder as any source, and not published by default."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import load_dataset

from dataset_builders.common.errors import DataError
from dataset_builders.corpus.build import build_dataset
from dataset_builders.corpus.options import BuildOptions
from dataset_builders.own_data import load, own_builders
from dataset_builders.schema import SPLITS

FAQ = "вопрос;ответ\n" + "".join(f"Где мой заказ номер {i}?;В пути, {i}.\n" for i in range(30)) + ";без вопроса\n"


@pytest.fixture
def mine(tmp_path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "faq.csv").write_bytes(FAQ.encode("cp1251"))
    chat = {"messages": [{"role": "user", "content": "Привет"}, {"role": "assistant", "content": "Здравствуйте!"}]}
    (folder / "chats.jsonl").write_text((json.dumps(chat, ensure_ascii=False) + "\n") * 5, encoding="utf-8")
    (folder / "intents.tsv").write_text("text\tintent\nwhere is it\ttrack\nsend it back\treturn\n")
    return folder


def run(*arguments, **env):
    command = [Path(sys.executable).with_name("dialogue-cube"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **env})


def test_own_data_from_the_command_line(mine, tmp_path):
    out = tmp_path / "out"
    cache = {"HF_DATASETS_CACHE": str(tmp_path / "cache"), "COLUMNS": "200"}
    done = run("build", "--own", mine, "--name", "acme-support", "--language", "ru", "--out", out, **cache)
    assert done.returncode == 0, done.stderr
    assert "your data: 1 records could not be used" in done.stderr
    (reject,) = map(json.loads, (tmp_path / "out.rejects.jsonl").read_text(encoding="utf-8").splitlines())
    assert (reject["file"], reject["line"], reject["reason"]) == ("faq.csv", 32, "the question is empty")

    dialogues = load_dataset(str(out), "dialogues", cache_dir=str(tmp_path / "cache"))
    rows = [row for split in dialogues.values() for row in split]
    assert len(rows) == 35
    assert {(r["source"], r["language"], r["license"], r["redistributable"]) for r in rows} == {
        ("acme-support", "ru", "LicenseRef-private", False)
    }
    pairs = load_dataset(str(out), "pairs", cache_dir=str(tmp_path / "cache"))
    assert sum(map(len, pairs.values())) == 35  # short answers are kept
    intents = load_dataset(str(out), "downstream", split="train", cache_dir=str(tmp_path / "cache"))
    assert set(intents["label"]) <= {"acme-support-intents/track", "acme-support-intents/return"}
    assert not (out / "out.rejects.jsonl").exists()

    # the licence prevents publication
    pushed = run("push", "dataset", "--data", out, "--repo", "org/name", "--dry-run", **cache)
    assert pushed.returncode == 1
    assert "Traceback" not in pushed.stderr


def test_own_data_next_to_a_source(mine, sample_raw, cache_dir, tmp_path):
    own = own_builders(load(mine / "faq.csv", "acme", "ru"), cache_dir=cache_dir)
    results = build_dataset(["camrest676"], sample_raw, tmp_path / "out", own=own, cache_dir=cache_dir)
    assert [r.info.name for r in results] == ["camrest676", "acme"]
    assert results[1].rejected == 1


@pytest.mark.parametrize(
    ("bad", "splits", "reason"),
    [(5, SPLITS, "5 of 6 records cannot be used"), (1, ("test",), "no row is left in the splits test")],
)
def test_a_stopped_build_says_which_records_are_bad(tmp_path, cache_dir, bad, splits, reason):
    (tmp_path / "bad.csv").write_text("question,answer\n" + "only a question,\n" * bad + "a question,an answer\n")
    own = own_builders(load(tmp_path / "bad.csv", "bad", max_bad_share=0.5), cache_dir=cache_dir)
    with pytest.raises(DataError, match=rf"{reason}.*; \S+out\.rejects\.jsonl lists the {bad} records"):
        build_dataset([], None, tmp_path / "out", BuildOptions(splits=splits), own, cache_dir=cache_dir)
    assert not (tmp_path / "out").exists()
    rejects = [json.loads(line) for line in (tmp_path / "out.rejects.jsonl").read_text().splitlines()]
    assert [(reject["line"], reject["reason"]) for reject in rejects] == [
        (2 + i, "the answer is empty") for i in range(bad)
    ]


def test_the_rejects_of_a_file_whose_reading_breaks_off_are_listed(tmp_path):
    good = '{"q": "Is it?", "a": "Yes"},\n'
    (tmp_path / "own.json").write_text(f'[{good}{{"q": "", "a": "b"}},\n{good * 1100}{{"q" "c"}}]')
    data = load(tmp_path / "own.json", language="en", max_bad_share=1)
    builders = own_builders(data, cache_dir=tmp_path / "cache")
    with pytest.raises(DataError, match=r"line 1103: not valid JSON .*out\.rejects\.jsonl lists the 1 records"):
        build_dataset([], None, tmp_path / "out", own=builders)
    (reject,) = map(json.loads, (tmp_path / "out.rejects.jsonl").read_text().splitlines())
    assert (reject["line"], reject["reason"]) == (2, "the question is empty")


def test_left_out_files_of_all_paths_are_listed_but_are_no_records(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "faq.csv").write_text(f"question,answer\nWhat is {name}?,It is {name}\nAnd?,No\n")
        (tmp_path / name / "README.md").write_text("x")
    own = [b for name in ("a", "b") for b in own_builders(load(tmp_path / name), cache_dir=tmp_path / "cache")]
    warnings = []
    build_dataset([], None, tmp_path / "out", own=own, warn=warnings.append)
    assert [w.partition(";")[0] for w in warnings if "your data" in w] == ["your data: 2 files were left out"]
    assert (tmp_path / "out.rejects.jsonl").read_text().count("README.md") == 2
