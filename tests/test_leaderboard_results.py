"""The committed leaderboards: whole, reproducible by the command they name, and the READMEs show their figures."""

import pytest
from benchmarks.readme_leaderboards import BOARDS, READMES, ROOT, filled, read

from cube_model.evaluation.baselines import baselines

FILES = sorted(path.name.split(".")[0] for path in BOARDS.glob("*.json.gz"))


def test_each_corpus_has_both_teachers():
    assert set(FILES) == {
        f"{corpus}-{teacher}" for corpus in ("sgd", "multiwoz", "woz") for teacher in ("minilm", "mpnet")
    }


@pytest.mark.parametrize("name", FILES)
def test_board_is_whole(name):
    source, teacher = name.split("-")
    board = read(source, teacher)
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


@pytest.mark.parametrize("readme", READMES)
def test_readme_shows_these_figures(readme):
    text = (ROOT / readme).read_text(encoding="utf-8")
    assert filled(text) == text
    assert filled(text.replace("| **core** | 142,976 |", "| **core** | 1 |", 1)) == text
