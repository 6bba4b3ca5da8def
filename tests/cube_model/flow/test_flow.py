"""Flows of invented dialogues and of the invented sample, with a tiny teacher."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import dialogue_cube
from cube_model import ModelError, clustering
from cube_model.flow import run
from cube_model.flow.config import FlowConfig
from cube_model.flow.output import FLOW, read_flow, write_flow
from cube_model.flow.run import make_flow
from cube_model.flow.shown import shown_flow
from cube_model.vectors.cache import EmbeddingCache
from hub.invented import dialogue, write_dataset

for library in ("networkx", "scipy", "matplotlib"):
    pytest.importorskip(library, reason="install the extra `flow`")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

EVIL = "</script><script>document.title = 'run'</script><img src=x onerror=alert(1)> {{ 7 * 7 }} & <a href='//evil'>tea</a>"

FILES = {"flow.html", "flow.png", "flow.graphml", "flow.json", "trajectories.jsonl"}


def chat(name, *texts, source="tea", **facts):
    """A dialogue without annotations, as in a user's own data; the user speaks first."""
    none = {"acts": [], "slots": [], "state": []}
    turns = [
        {"speaker": ("user", "system")[place % 2], "text": text, "annotations": none, "speaker_id": None}
        for place, text in enumerate(texts)
    ]
    return dialogue(name, source=source, turns=turns, domains=[], common_domains=[], flags=[], **facts)


OPEN, ASK, BLACK, MINT, BYE = "Hello!", "Which tea would you like?", "Black tea.", "Mint, please.", "Enjoy it."


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Own dialogues: ten with black tea, five with mint, one with a hostile and a silly text."""
    rows = [chat(f"b{n}", OPEN, ASK, BLACK, BYE) for n in range(10)]
    rows += [chat(f"m{n}", OPEN, ASK, MINT, BYE) for n in range(5)]
    rows += [chat("evil", OPEN, EVIL, "\x00 $x$ _{\u202e", BYE)]
    return write_dataset(tmp_path_factory.mktemp("flow") / "own", {("dialogues", "train"): rows})


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return EmbeddingCache(tmp_path_factory.mktemp("flow-vectors"))


@pytest.fixture(scope="module")
def flow(own, tiny_teacher, cache):
    """The flow with a step for every distinct utterance."""
    return make_flow(
        FlowConfig(str(own), str(tiny_teacher), threshold=1e-5, min_probability=0, min_share=0), cache=cache
    )


@pytest.fixture(scope="module")
def folder(flow, tmp_path_factory):
    folder = tmp_path_factory.mktemp("flow-files") / "flow"
    folder.mkdir()
    write_flow(flow, "dialogue-cube flow", folder)
    return folder


def test_flow_of_own_dialogues_by_hand(flow):
    first = {name: step.examples[0] for name, step in flow.steps.items()}
    assert first == {"U1": OPEN, "U2": BLACK, "U3": MINT, "U4": "\x00 $x$ _{\u202e", "S1": BYE, "S2": ASK, "S3": EVIL}
    assert [flow.steps[name].count for name in first] == [16, 10, 5, 1, 16, 15, 1]
    assert flow.trajectories["tea/m0"] == ["U1", "S2", "U3", "S1"]
    assert flow.main_path == ["start", "U1", "S2", "U2", "S1", "end"]
    content = flow.as_json()
    edges = {(edge["from"], edge["to"]): (edge["count"], edge["probability"]) for edge in content["edges"]}
    assert edges["S2", "U3"] == (5, pytest.approx(1 / 3, abs=1e-6))
    assert edges["U1", "S3"] == (1, 1 / 16)
    assert [node["name"] for node in content["nodes"]] == ["start", *first, "end"]
    assert content["nodes"][2]["dialogues"] == 10
    assert content["nodes"][2]["position"] == 2
    assert content["true_graph"] is None  # own data have no acts
    assert content["encoder"]["name"] == "tiny"
    assert content["options"]["data"] == "own"
    assert len(content["data"]["fingerprint"]) == 64
    assert content["data"]["licenses"] == ["MIT"]
    assert {"scipy", "networkx", "matplotlib", "torch"} <= set(content["versions"])


def test_files_of_a_flow(flow, folder):
    import networkx as nx

    assert {path.name for path in folder.iterdir()} == FILES
    assert FLOW.foreign_files(folder) == []
    assert FLOW.is_ours(folder)
    assert (folder / "flow.png").read_bytes().startswith(b"\x89PNG")
    graph = nx.read_graphml(folder / "flow.graphml")
    assert graph.nodes["U4"]["utterance"] == "\ufffd $x$ _{\u202e"  # XML forbids the control character
    assert graph.nodes["S3"]["utterance"] == EVIL
    assert graph.edges["S2", "U2"]["count"] == 10
    assert set(graph) == set(flow.graph)
    lines = [json.loads(line) for line in (folder / "trajectories.jsonl").read_text().splitlines()]
    assert {line["dialogue_id"]: line["steps"] for line in lines} == flow.trajectories
    assert read_flow(folder)["main_path"] == flow.main_path


def test_same_dialogues_give_the_same_bytes(own, tiny_teacher, flow, folder, tmp_path):
    config = FlowConfig(str(own), str(tiny_teacher), threshold=1e-5, min_probability=0, min_share=0)
    again = make_flow(config, cache=EmbeddingCache(tmp_path / "empty"))
    (tmp_path / "flow").mkdir()
    write_flow(again, "dialogue-cube flow", tmp_path / "flow")
    for name in FILES:
        assert (tmp_path / "flow" / name).read_bytes() == (folder / name).read_bytes(), name


def test_page_loads_nothing_and_texts_stay_texts(folder):
    text = (folder / "flow.html").read_text(encoding="utf-8")
    assert text.count("<script") == 2  # the data and our script
    assert text.count("</script>") == 2
    assert EVIL not in text
    assert "default-src 'none'" in text
    assert not re.search(
        r"""(src|href)=|url\(["']?http|@import""", text.replace("src=x onerror", "").split("<script")[0]
    )
    data = re.search(r'<script type="application/json" id="flow">(.*?)</script>', text, re.DOTALL)[1]
    assert "<" not in data
    assert any(EVIL in node["examples"] for node in json.loads(data)["nodes"])


@pytest.mark.skipif(BROWSER is None, reason="no Chromium: apt-get install chromium")
def test_page_in_a_browser(folder):
    sync_api = pytest.importorskip("playwright.sync_api", reason="install the extra `test`")
    complaints = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: complaints.append(request.url) if "flow.html" not in request.url else None)
        page.goto((folder / "flow.html").as_uri())
        nodes = page.locator(".node")
        assert nodes.count() == 9
        page.locator(".node", has_text="</script>").click()
        details = page.locator("#details")
        assert EVIL in details.inner_text()
        assert details.locator("img, a, script").count() == 0
        assert page.title().startswith("Flow of own")
        details.get_by_role("button", name="U4").click()
        assert details.locator("h2").inner_text() == "U4, user"
        page.get_by_label("find").fill("MINT")
        assert page.locator(".node.match").count() == 1
        page.get_by_label("only the way of a typical dialogue").check()
        assert nodes.filter(visible=True).count() == 6
        browser.close()
    assert complaints == []


def test_number_of_steps_and_the_default_threshold(own, tiny_teacher, cache):
    flow = make_flow(FlowConfig(str(own), str(tiny_teacher), steps=2), cache=cache)
    assert {name[0] for name in flow.steps} == {"U", "S"}
    assert len(flow.steps) == 4
    facts = flow.facts["clustering"]["user"]
    assert facts["steps"] == 2
    default = make_flow(FlowConfig(str(own), str(tiny_teacher)), cache=cache).facts["clustering"]["user"]
    assert default["distance"] == pytest.approx(0.7 * default["mean_distance"], abs=1e-5)


def test_more_utterances_than_a_tree_can_hold(own, tiny_teacher, cache, monkeypatch):
    monkeypatch.setattr(clustering, "LIMIT", 2)
    flow = make_flow(FlowConfig(str(own), str(tiny_teacher), steps=2), cache=cache)
    assert flow.facts["clustering"]["user"]["utterances_in_tree"] == 2
    assert flow.facts["data"]["distinct_utterances"]["user"] == 4
    assert sum(step.count for step in flow.steps.values() if step.speaker == "user") == 32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"domain": "tea"}, "domain tea: the selected dialogues have no domains.*leave --domain out"),
        ({"sources": ["milk"]}, "no source milk.*choose from tea"),
        ({"split": "test"}, "cannot load the split 'test'"),
        ({"steps": 5}, "steps: 5 are more than the 4 different utterances of the user; choose fewer"),
    ],
)
def test_mistakes_give_one_line(own, tiny_teacher, cache, options, message):
    config = FlowConfig(str(own), str(tiny_teacher), **options)
    with pytest.raises(ModelError, match=message) as caught:
        make_flow(config, cache=cache)
    assert "\n" not in str(caught.value)


def test_one_dialogue_is_not_a_flow(tiny_teacher, cache, tmp_path):
    one = write_dataset(tmp_path / "one", {("dialogues", "train"): [chat("a", OPEN, ASK)]})
    with pytest.raises(ModelError, match="only 1 dialogue; a flow needs at least 2"):
        make_flow(FlowConfig(str(one), str(tiny_teacher)), cache=cache)


def test_all_splits_are_read_together(tiny_teacher, cache, tmp_path):
    rows = {("dialogues", split): [chat(f"{split}{n}", OPEN, ASK) for n in range(2)] for split in ("train", "test")}
    rows["dialogues", "test"] += [chat("milk", OPEN, BYE, source="milk")]
    both = write_dataset(tmp_path / "both", rows)
    config = {"data": str(both), "encoder": str(tiny_teacher), "threshold": 1e-5, "min_share": 0}
    flow = make_flow(FlowConfig(**config), cache=cache)
    assert list(flow.trajectories) == ["tea/train0", "tea/train1", "tea/test0", "tea/test1", "milk/milk"]
    assert [flow.steps[name].dialogues for name in ("U1", "S1", "S2")] == [5, 4, 1]
    test = make_flow(FlowConfig(**config, split="test"), cache=cache)
    assert list(test.trajectories) == ["tea/test0", "tea/test1", "milk/milk"]
    assert test.facts["data"]["fingerprint"] != flow.facts["data"]["fingerprint"]
    with pytest.raises(ModelError, match="only 1 dialogue"):  # although the train split lacks that source
        make_flow(FlowConfig(**config, sources=["milk"]), cache=cache)


def test_only_one_speaker(tiny_teacher, cache, tmp_path):
    rows = [chat(f"d{n}", OPEN) for n in range(3)]
    only = write_dataset(tmp_path / "only", {("dialogues", "train"): rows})
    flow = make_flow(FlowConfig(str(only), str(tiny_teacher)), cache=cache)
    assert flow.main_path == ["start", "U1", "end"]


def test_pruning_that_leaves_nothing(tiny_teacher, cache, tmp_path):
    rows = [chat(name, "One.", "Two.", "One.", "Two.", "One.", name) for name in "abc"]
    loop = write_dataset(tmp_path / "loop", {("dialogues", "train"): rows})
    config = FlowConfig(str(loop), str(tiny_teacher), threshold=1e-5, min_share=1.0)
    with pytest.raises(ModelError, match="no way from start to end is left of 5 steps; lower --min-share"):
        make_flow(config, cache=cache)


def test_missing_library_names_the_extra(monkeypatch):
    monkeypatch.setattr(run, "_LIBRARIES", ("scipy", "no_such_library"))
    with pytest.raises(ModelError, match=r"needs no_such_library: pip install 'dialogue-cube\[flow\]'"):
        run.check_installed()


def test_threshold_and_steps_exclude_each_other():
    with pytest.raises(ModelError, match="give one of them"):
        FlowConfig("data", threshold=0.5, steps=3)


def command(monkeypatch, cache, *words):
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(cache))
    monkeypatch.setenv("COLUMNS", "140")
    return CliRunner().invoke(dialogue_cube.app, ["flow", *map(str, words)])


def test_command_on_the_sample(sample_dataset, tiny_teacher, tmp_path, monkeypatch):
    words = ["--data", sample_dataset, "--encoder", tiny_teacher, "--source", "sgd", "--out", tmp_path / "flow"]
    result = command(monkeypatch, tmp_path / "cache", *words, "--domain", "hotels")
    assert result.exit_code != 0
    assert re.search(
        r"domain hotels: no dialogue has it alone; did you mean hotel\? choose from taxi \(", str(result.exception)
    )
    result = command(monkeypatch, tmp_path / "cache", *words, "--domain", "hotel")
    assert result.exit_code == 0, result.output
    assert "Way of a typical dialogue (50 dialogues" in result.output
    assert "Dialog2Flow's protocol" in result.output
    content = read_flow(tmp_path / "flow")
    assert content["command"].endswith(
        "--sources sgd --domain hotel --split all --min-probability 0.1 --min-share 0.023 --seed 0 --out FOLDER"
    )
    assert content["true_graph"]["as_drawn"]["true_nodes"] > 2
    assert set(content["true_graph"]["actions"]) == {"user", "system"}
    assert any(node.get("actions") for node in content["nodes"])
    (tmp_path / "flow" / "thesis.txt").write_text("mine")
    result = command(monkeypatch, tmp_path / "cache", *words, "--domain", "hotel")
    assert "thesis.txt" in str(result.exception)


def test_start_of_the_command_line_stays_light():
    import subprocess

    code = "import sys, cube_model.cli; print([m for m in ('scipy', 'networkx', 'matplotlib', 'torch') if m in sys.modules])"
    root = Path(__file__).parents[3]
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("content", [None, "no json", "[]", '{"nodes": 1}'])
def test_folder_that_is_not_a_flow(tmp_path, content):
    if content is not None:
        (tmp_path / "flow.json").write_text(content)
    with pytest.raises(ModelError, match="not a flow; make one with `dialogue-cube flow"):
        read_flow(tmp_path)


def test_tab_of_the_dashboard(page, settings, flow, folder, tmp_path):
    settings(flows=(str(folder), str(tmp_path)))
    at = page(tab="flow", lang="ru")
    assert not at.error
    assert "Ход диалога" in [tab.label for tab in at.tabs]
    values = {metric.label: metric.value for metric in at.metric}
    assert values == {"Диалогов": "16", "Реплик": "64", "Шагов": "7", "Переходов": "10"}
    steps, transitions = (table.value for table in at.dataframe)
    assert list(steps["utterance"])[:2] == [OPEN, BLACK]
    assert list(transitions["transitions"])[:2] == [16, 16]
    frame = at.get("iframe")[0].proto
    assert 'sandbox="allow-scripts"' in frame.srcdoc
    assert "<script" not in frame.srcdoc  # the page is a text inside the frame
    at.selectbox[0].set_value(tmp_path.name).run()
    assert "not a flow" in at.error[0].value


def test_incomplete_flow_gives_one_line(folder, tmp_path):
    (tmp_path / "flow.json").write_bytes((folder / "flow.json").read_bytes())
    with pytest.raises(ModelError, match="an incomplete flow; make it again"):
        shown_flow(tmp_path)
