"""The Model tab and the neighbour search with a small real core and its teacher."""

import json
from importlib.metadata import entry_points

import numpy as np
import pytest

from cube_model import ModelError
from cube_model.evaluation.leaderboard.dashboard import Cores
from dataset_builders.dashboard import cores
from dataset_builders.dashboard.lattice import lattice_picture
from dataset_builders.dashboard.texts import load_texts

pytest.importorskip("streamlit", reason="install the extra `dashboard`")

ANSWERS = [
    "For a room on Friday I can offer the Otter Lodge. Shall I book it?",
    "Please call the front desk.",
    "It rains.",
]


def entry(method, metric, value, train_size, source="invented", parameters=10):
    """Build one result in the format of `dialogue-cube leaderboard`."""
    return {
        **{"method": method, "metric": metric, "value": value, "ci95": [value - 0.01, value + 0.01], "source": source},
        **{"domain": None, "negatives": "random", "train_size": train_size, "parameters": parameters},
        **{"training_seconds": 1.5, "microseconds_per_query": 2.0, "seed": 0},
    }


@pytest.fixture
def leaderboard(tmp_path):
    file = tmp_path / "leaderboard.json"
    metrics = {"accuracy_1_of_100": 0.5, "mrr": 0.6, "mean_cosine": 0.3}
    sizes = {"sim": [None], "core": [100, 1000]}
    results = [
        entry(method, metric, value + 0.0001 * (size or 0), size, parameters=0 if size is None else 10)
        for method, train_sizes in sizes.items()
        for size in train_sizes
        for metric, value in metrics.items()
    ]
    difference = {"source": "invented", "metric": "accuracy_1_of_100", "method": "sim", "minus": "core"}
    differences = [difference | {"train_size": n, "value": -n / 10000, "ci95": [-0.2, -0.001]} for n in sizes["core"]]
    file.write_text(json.dumps({"results": results, "differences": differences}))
    return file


@pytest.fixture
def core(pairs_folder, cache_folder, trained_core, monkeypatch):
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(cache_folder))
    return trained_core


def test_cores_are_found_by_their_entry_point():
    points = entry_points(group=cores.ENTRY_POINTS)
    assert [(point.name, point.value) for point in points] == [
        ("cores", "cube_model.evaluation.leaderboard.dashboard:Cores")
    ]
    assert type(cores.find_cores()).__name__ == "Cores"


def test_page_says_what_to_install_without_a_core_provider(page, monkeypatch):
    monkeypatch.setattr(cores, "ENTRY_POINTS", "dialogue_cube.nobody")
    at = page(tab="model")
    assert not at.error
    assert "pip install" in at.info[0].value


def test_leaderboard_rows(leaderboard):
    rows = Cores().leaderboard(leaderboard)
    assert [(row["method"], row["pairs"]) for row in rows] == [("sim", None), ("core", 100), ("core", 1000)]
    assert rows[1]["accuracy"] == pytest.approx(0.51)
    assert (rows[1]["low"], rows[1]["high"]) == (pytest.approx(0.5), pytest.approx(0.52))
    assert (rows[0]["parameters"], rows[0]["seeds"], rows[0]["seconds"]) == (0, 1, 1.5)


def test_leaderboard_differences(leaderboard, tmp_path):
    rows = Cores().differences(leaderboard)
    assert [(row["method"], row["minus"], row["pairs"]) for row in rows] == [
        ("sim", "core", 100),
        ("sim", "core", 1000),
    ]
    assert (rows[1]["difference"], rows[1]["low"], rows[1]["high"]) == (-0.1, -0.2, -0.001)
    older = tmp_path / "older.json"
    older.write_text('{"results": []}')
    assert Cores().differences(older) == []


@pytest.mark.parametrize("content", [None, "no json", "[]", '{"results": [{"source": "x"}]}'])
def test_invalid_leaderboard_gives_a_one_line_error(tmp_path, content):
    file = tmp_path / "board.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ModelError, match=r"board\.json: .*leaderboard --json") as caught:
        Cores().leaderboard(file)
    assert "\n" not in str(caught.value)
    if content is None or "results" not in content:
        with pytest.raises(ModelError, match=r"board\.json: "):
            Cores().differences(file)


def test_folder_without_a_training_record_gives_an_error(tmp_path):
    with pytest.raises(ModelError, match=r"training\.json: cannot be read"):
        Cores().training(tmp_path)
    (tmp_path / "training.json").write_text("{}")
    with pytest.raises(ModelError, match="no learning curve"):
        Cores().training(tmp_path)


def test_core_ranks_answers_and_returns_its_lattice(core):
    opened = Cores().open(core)
    ranked = opened.rank("Hello, I need a room for 2 on Friday, request 9.", [], ANSWERS, 2)
    assert ranked[0][0] == 0
    assert ranked[0][1] > ranked[1][1]
    states = opened.lattice("Hello, I need a room.", ["Good evening.", "How can I help?"])  # it reads one
    assert states.shape == (2, opened.facts["steps"] + 1, *opened.facts["lattice"])
    assert np.linalg.norm(states[0][0]) == pytest.approx(1, abs=1e-3)  # the question's embedding
    assert not np.allclose(states[0][0], states[0][-1])
    assert np.allclose(opened.lattice("Hello, I need a room."), states[:1], atol=1e-5)
    assert np.allclose(states[0][0], states[-1][0])  # a turn before the question changes the later states only
    assert not np.allclose(states[0][-1], states[1][-1])
    with pytest.raises(ModelError, match="the question is empty"):
        opened.lattice(" ")


def test_lattice_picture_has_one_cube_per_cell():
    states = np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 3, 4)
    mesh = lattice_picture(states, load_texts("en")).data[0]
    assert len(mesh.x) == 24 * 8
    assert len(mesh.i) == 24 * 12
    assert max(*mesh.i, *mesh.j, *mesh.k) == 24 * 8 - 1
    assert (mesh.cmin, mesh.cmax) == (-1, 1)
    strongest, weakest = np.ptp(mesh.x[-8:]), np.ptp(mesh.x[11 * 8 : 12 * 8])
    assert strongest > 3 * weakest
    lattice_picture(np.zeros((2, 2, 2), np.float32), load_texts("ru"))  # all states are zero


def test_model_tab_with_a_core_and_a_leaderboard(page, settings, core, leaderboard):
    settings(cores=(str(core),), leaderboards=(str(leaderboard),))
    at = page(tab="model", source=["woz"], split=["test"])
    assert not at.error
    assert list(at.dataframe[0].value["method"]) == ["core", "sim"]
    next(box for box in at.selectbox if box.label == "Number of training pairs").set_value("100").run()
    assert at.dataframe[0].value["accuracy"].max() == pytest.approx(0.51)
    assert "100" in at.query_params["trained"]  # so that a link shows the same
    again = page(tab="model", trained="100", tested="invented", board="leaderboard.json")
    assert again.dataframe[0].value["accuracy"].max() == pytest.approx(0.51)
    assert not page(tab="model", trained="-1", tested="nothing", board="../../etc/passwd").error
    assert len(at.get("vega_lite_chart")) == 4  # accuracy, differences, loss, figures on the validation pairs
    assert any("Difference to core" in chart.proto.spec for chart in at.get("vega_lite_chart"))
    assert any("minus that of core" in note.value for note in at.caption)
    at.text_input[0].set_value("I need a cheap room")
    at.text_area[0].set_value("Good evening.\nHow can I help?")
    at.select_slider[0].set_value(500)
    at.button[-1].click().run()
    assert not at.error
    assert len(at.chat_message) == 2
    best = next(table.value for table in at.dataframe if "answer" in table.value)
    assert list(best["cosine"]) == sorted(best["cosine"], reverse=True)
    assert len(at.get("plotly_chart")) == 1
    added = next(table.value for table in at.dataframe if "shift" in table.value)
    assert list(added["turn"]) == ["How can I help?"]  # the core reads one turn
    assert 0 < added["shift"].iat[0] == pytest.approx(1 - added["cosine"].iat[0])


def test_broken_core_gives_a_one_line_error(page, settings, core, tmp_path):
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(core, broken)
    (broken / "model.safetensors").unlink()
    settings(cores=(str(broken),))
    at = page(tab="model")
    at.text_input[0].set_value("I need a cheap room")
    at.button[-1].click().run()
    assert not at.exception
    assert "not a trained core" in at.error[0].value


def test_neighbours_of_an_utterance(page, core):
    at = page(tab="explorer", source=["banking77"], kind="downstream")
    text = at.dataframe[0].value["utterance"].iat[0]
    at.selectbox("neighbours-text").set_value(text)
    at.button[-1].click().run()
    assert not at.error
    neighbours = at.dataframe[-1].value
    assert list(neighbours["cosine"]) == sorted(neighbours["cosine"], reverse=True)
    assert neighbours["text"].iat[0] == text  # the text itself is among the candidates
    assert neighbours["cosine"].iat[0] == pytest.approx(1, abs=0.02)


def test_neighbours_without_a_teacher_give_a_one_line_error(page, settings):
    settings(teacher="no-such-teacher")
    at = page(tab="explorer", kind="downstream")
    at.selectbox("neighbours-text").set_value(at.dataframe[0].value["utterance"].iat[0])
    at.button[-1].click().run()
    assert not at.exception
    assert "encoder no-such-teacher cannot be loaded" in at.error[0].value
