"""The committed results are complete and name their command, and RESULTS.md and the READMEs show their figures."""

import pytest

from benchmarks.results import BOARDS, INTENTS, MTEB, READMES, RESULTS, SHOWN, STUDIES, TEACHERS, fill, read, render
from cube_model.evaluation.baselines import baselines
from cube_model.evaluation.intents.config import PROTOCOLS

FILES = sorted(path.name.split(".")[0] for path in BOARDS.glob("*.json.gz"))


def test_each_corpus_has_both_teachers():
    assert set(FILES) == {
        f"{corpus}-{teacher}" for corpus in ("sgd", "multiwoz", "woz") for teacher in ("minilm", "mpnet")
    }


@pytest.mark.parametrize("name", FILES)
def test_a_leaderboard_is_complete(name):
    source, teacher = name.split("-")
    board = read(BOARDS, name)
    assert f"--data dataset --teacher {teacher} --sources {source} " in board["command"]
    assert set(board["fingerprints"]) == {"teacher", "train", "validation", "test"}
    assert (BOARDS / f"{name}.svg").exists()
    seeds = {}
    for row in board["results"]:
        assert row["split"] == "test"
        seeds.setdefault((row["method"], row["train_size"]), set()).add(row["seed"])
    sizes = {size for _, size in seeds if size is not None}
    assert {1_000, board["train_pairs"]} <= sizes
    assert {method for method, _ in seeds} == {*baselines(turns=3, budget=board["budget"]), "map_renormalized"}
    for method in ("core", "mlp_both", "map"):
        assert all(seeds[method, size] == {0, 1, 2} for size in sizes)


def test_studies_differ_from_the_leaderboards_only_in_their_data():
    names = [name for group in SHOWN.values() for name in group]
    assert {path.name.split(".")[0] for path in STUDIES.glob("*.json.gz")} == set(names)
    boards = {name: read(STUDIES, name) for name in names}
    published, clean = boards["published"], boards["leak-free"]
    assert published["command"].replace("--data published", "--data dataset") == clean["command"]
    assert published["fingerprints"]["train"] != clean["fingerprints"]["train"]
    assert "--leave-out woz" in boards["zero-shot"]["command"]
    assert {row["source"] for row in boards["zero-shot"]["results"]} == {"woz"}
    for board in boards.values():
        assert {row["method"] for row in board["results"]} >= {"core", "mlp_both", "sim"}


@pytest.mark.parametrize("encoder", TEACHERS)
def test_intents_are_complete_and_equal_published_figures(encoder):
    output = read(INTENTS, encoder)
    assert f"evaluate intents --data official --encoder {encoder} " in output["command"]
    results = output["results"]
    assert {row["protocol"] for row in results} == set(PROTOCOLS) - {"1-shot"}  # younger than the committed figures
    assert {row["source"] for row in results} == {"banking77", "clinc150", "massive"}
    values = {
        (row["encoder"], row["source"], row["predicts"]): 100 * row["value"]
        for row in results
        if (row["protocol"], row["metric"], row["contaminated"]) == ("mteb", "accuracy", "kept")
    }
    published = {name: value for name, value in MTEB.items() if name[0] == encoder}
    assert len(published) == 3
    assert {name: values[name] for name in published} == pytest.approx(published, abs=0.3)


def test_the_results_page_is_made_from_these_files():
    assert RESULTS.read_text(encoding="utf-8") == render()


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_readmes_show_these_figures(readme):
    text = readme.read_text(encoding="utf-8")
    assert fill(text) == text
    assert fill(text.replace("| sgd | 87,679 |", "| sgd | 1 |", 1)) == text
