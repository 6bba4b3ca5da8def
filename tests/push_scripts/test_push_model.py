"""Pushing models to the loopback Hub: the files, the card, and loading them without this package."""

import json

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from hub.invented import write_model
from push_scripts.errors import PushError
from push_scripts.push_model import push_model
from push_scripts.push_options import PushOptions

CORE_FILES = {"README.md", "config.json", "configuration_cube.py", "modeling_cube.py"}
TEXT_FILES = {"modules.json", "config_sentence_transformers.json", "sentence_cube.py", "pipeline_cube.py", "handler.py"}
TEXT_FILES |= {"requirements.txt", "text_cube.py", "turns_cube.py", "teacher_cube.py", "static_cube.py", "pooling.py"}


def test_only_the_files_of_the_model_are_pushed(tmp_path):
    folder = write_model(tmp_path / "core")
    for stray in (
        "checkpoints/step-10/optimizer.bin",
        "checkpoints/step-10/model.safetensors",
        "logs/events.out.tfevents.1",
        "README.md",
        "train.log",
        "trainer_state.json",
        ".env",
        "other.py",
        "optimizer.safetensors",
    ):
        (folder / stray).parent.mkdir(parents=True, exist_ok=True)
        (folder / stray).write_text("secret")
    result = push_model(folder, "org/name", PushOptions(dry_run=True))
    assert result.sizes.keys() == CORE_FILES | {"model.safetensors"}
    assert result.published is None
    assert "secret" not in result.card


def test_shards_are_pushed_with_their_index(tmp_path):
    sizes = push_model(write_model(tmp_path / "core", shards=2), "org/name", PushOptions(dry_run=True)).sizes
    shards = {f"model-0000{i}-of-00002.safetensors" for i in (1, 2)}
    assert sizes.keys() == CORE_FILES | shards | {"model.safetensors.index.json"}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: (d / "pytorch_model.bin").write_bytes(b"x"), "pytorch_model.bin can run code when loaded"),
        (lambda d: (d / "state.pt").write_bytes(b"x"), "state.pt can run code"),
        (lambda d: (d / "model.safetensors").write_bytes(b"\x80\x04pickle"), "is not a safetensors file"),
        (lambda d: (d / "model.safetensors").unlink(), "no model.safetensors; expected a folder made by"),
        (lambda d: (d / "config.json").unlink(), "not a saved model, config.json is missing; expected"),
        (lambda d: (d / "config.json").write_text("{"), "config.json: damaged"),
        (lambda d: (d / "config.json").write_text("[]"), r"it is \[\] instead of an object"),
        (lambda d: (d / "config.json").write_text("{}"), "no `auto_map`, so nobody else could load the model"),
        (lambda d: (d / "modeling_cube.py").unlink(), "code file modeling_cube.py, named by `auto_map`, is missing"),
        (
            lambda d: (d / "config.json").write_text(
                json.dumps({"auto_map": {"AutoConfig": "../evil.C", "AutoModel": "evil.M"}})
            ),
            "code file evil.py, named by `auto_map`",
        ),
        (lambda d: (d / "training.json").write_text("nonsense"), "training.json: damaged"),
        (lambda d: [p.unlink() for p in d.iterdir()] and d.rmdir(), "no such folder; expected a folder made by"),
    ],
)
def test_a_folder_that_is_not_a_model_is_refused(tmp_path, spoil, message):
    folder = write_model(tmp_path / "core")
    spoil(folder)
    with pytest.raises(PushError, match=message) as error:
        push_model(folder, "org/name", PushOptions(dry_run=True))
    assert "\n" not in str(error.value)


def test_a_missing_shard_is_named(tmp_path):
    folder = write_model(tmp_path / "core", shards=3)
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(PushError, match=r"does not match the shards in the folder \(model-00002-of-00003"):
        push_model(folder, "org/name", PushOptions(dry_run=True))


TEACHER = {"name": "minilm", "dimension": 24, "pooling": "mean", "prefix": "", "dtype": "float32", "fingerprint": "abc"}
TRAINING = {
    "format": 1,
    "arguments": {"data": "/home/ann/corpora/tiny-corpus", "teacher": "minilm", "seed": 0, "sources": None},
    "data": {
        "fingerprint": "f" * 64,
        "pairs": 1234,
        "sources": ["camrest676", "ours"],
        "validation_pairs": 9,
        "licenses": {"ours": ["MIT"]},
    },
    "teacher": TEACHER,
    "best_epoch": 1,
    "history": [
        {"epoch": 0, "loss": None, "accuracy_1_of_100": 0.25, "mean_cosine": 0.3},
        {"epoch": 1, "loss": 2.0, "accuracy_1_of_100": 0.5, "mean_cosine": 0.4},
    ],
}


@pytest.fixture(scope="module")
def core():
    """A core with random weights, unlike the identity of a new one."""
    import torch

    from cube_model import CubeConfig, CubeModel

    torch.manual_seed(0)
    model = CubeModel(CubeConfig(embedding_dim=24, context_turns=1, global_units=5, plane_units=2, teacher=TEACHER))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


@pytest.fixture
def core_folder(core, tmp_path):
    folder = tmp_path / "core"
    core.save_pretrained(folder)
    (folder / "training.json").write_text(json.dumps(TRAINING))
    return folder


def results_file(path, core):
    size = sum(parameter.numel() for parameter in core.parameters())
    entries = [
        {"task": "response-selection", "protocol": "1-of-100", "source": "tiny", "method": method, "metric": metric}
        | {"value": value, "ci95": [value - 0.01, value + 0.01], "parameters": parameters, "pairs": 500}
        for method, parameters, value in (("identity", 0, 0.25), ("trained core", size, 0.51234))
        for metric in ("accuracy_1_of_100", "mrr")
    ]
    entries += [  # one domain, and harder negatives: not on the card
        {**entries[-1], "value": 0.98765, "domain": "hotels"},
        {**entries[-1], "value": 0.98765, "negatives": "same-domain"},
    ]
    path.write_text(json.dumps({"results": entries}))
    return path


def test_the_card_shows_the_model_and_its_results(core, core_folder, tmp_path):
    card = push_model(
        core_folder, "org/cube-core", PushOptions(dry_run=True), results=results_file(tmp_path / "results.json", core)
    ).card
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["library_name"] == "sentence-transformers"
    assert header["license"] == "apache-2.0"
    assert header["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert "datasets" not in header  # trained on a folder
    measured = header["model-index"][0]["results"]
    values = {metric["type"]: metric for result in measured for metric in result["metrics"]}
    assert values.keys() == {"accuracy_1_of_100", "mrr"}
    assert values["mrr"]["value"] == 0.5123
    assert values["mrr"]["args"] == {"ci95": [0.5023, 0.5223]}
    for text in (
        f"| lattice | {' x '.join(map(str, core.config.lattice_size))} |",
        "| answers are mapped too | yes |",
        f"| parameters | {sum(p.numel() for p in core.parameters()):,} |",
        "1,234 user -> system pairs of `tiny-corpus` (fingerprint `ffffffffffffffff`).",
        "| ours | MIT |",
        "| identity | 0.250 [0.240, 0.260] | 0.250 [0.240, 0.260] |",
        "| trained core | 0.512 [0.502, 0.522] |",
        "1-of-100 accuracy 0.250 -> 0.500",
        'AutoModel.from_pretrained("org/cube-core", trust_remote_code=True, revision="COMMIT")',
    ):
        assert text in card, text
    assert "/home/ann" not in card
    assert "0.988" not in card


def test_the_card_is_written_to_a_file_and_pins_the_tag(core_folder, tmp_path):
    options = PushOptions(dry_run=True, card=str(tmp_path / "card.md"), tag="v2")
    card = push_model(core_folder, "org/cube-core", options).card
    assert (tmp_path / "card.md").read_text() == card
    assert 'SentenceTransformer("org/cube-core", trust_remote_code=True, revision="v2")' in card
    assert "COMMIT" not in card


def test_a_folder_does_not_become_a_dataset(core_folder, tmp_path, monkeypatch):
    """Neither `org/name` in an old record, nor the name of a folder, whatever lies on this machine."""
    monkeypatch.chdir(tmp_path)
    for data in ("runs/corpus", "tiny/data"):
        record = {**TRAINING, "arguments": {**TRAINING["arguments"], "data": data}}
        (core_folder / "training.json").write_text(json.dumps(record))
        header = yaml.safe_load(push_model(core_folder, "org/a", PushOptions(dry_run=True)).card.split("---\n")[1])
        assert "datasets" not in header, data
    (core_folder / "training.json").write_text(
        json.dumps({**TRAINING, "data": {"folder": "corpus", "pairs": 3, "sources": ["camrest676"]}})
    )
    card = push_model(core_folder, "org/a", PushOptions(dry_run=True)).card
    assert "3 user -> system pairs of `corpus`" in card
    assert "datasets" not in yaml.safe_load(card.split("---\n")[1])


def test_the_card_of_a_model_without_records(tmp_path):
    card = push_model(write_model(tmp_path / "core"), "org/name", PushOptions(dry_run=True)).card
    assert "Not recorded." in card
    assert "No test results were published" in card
    assert "None" not in card
    assert "model-index" not in card


@pytest.mark.parametrize("content", [None, "[]", '{"results": [{"metric": "mrr"}]}', '{"results": 3}', "x"])
def test_a_file_without_results_is_refused(tmp_path, content):
    path = tmp_path / "results.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(PushError, match=r"--results .*`dialogue-cube evaluate"):
        push_model(write_model(tmp_path / "core"), "org/name", PushOptions(dry_run=True), results=path)


def test_figures_of_another_model_are_refused(core, core_folder, tmp_path):
    from cube_model.inference.loading import core_fingerprint

    path = results_file(tmp_path / "results.json", core)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "fingerprints": {"model": "f" * 64}}))
    with pytest.raises(PushError, match=r"figures of another model \(fingerprint ffffffffffff, this one \w{12}\)"):
        push_model(core_folder, "org/name", PushOptions(dry_run=True), results=path)
    path.write_text(json.dumps({**content, "fingerprints": {"model": core_fingerprint(core)}}))
    assert "0.512 [0.502, 0.522]" in push_model(core_folder, "org/name", PushOptions(dry_run=True), results=[path]).card


def test_the_card_estimates_carbon_and_names_the_assumptions(core, core_folder):
    def card(**record):
        (core_folder / "training.json").write_text(json.dumps({**TRAINING, **record}))
        return push_model(core_folder, "org/name", PushOptions(dry_run=True)).card

    assert "Training time and hardware were not recorded." in card(seconds=3600.0)
    on_cpu = card(seconds=3600.0, hardware={"processor": "Abacus 9", "threads": 4})
    assert "3,600 s on Abacus 9, 4 threads" in on_cpu
    assert "40 Wh and 19 g CO2eq" in on_cpu  # an hour of 4 x 10 W, at 473 g/kWh
    assert "10 W a thread, 473 g CO2eq/kWh (world average of 2024), nothing measured" in on_cpu
    assert yaml.safe_load(on_cpu.split("---\n")[1])["co2_eq_emissions"]["emissions"] == 18.92
    on_gpu = card(seconds=60.0, hardware={"processor": "x", "threads": 4, "accelerator": "H9", "accelerators": 2})
    assert "60 s on 2 x H9" in on_gpu
    assert "10 Wh and 4.7 g CO2eq" in on_gpu


def test_figures_on_a_hub_dataset_are_pushed_for_the_pages_of_benchmarks(hub, core, core_folder, tmp_path, monkeypatch):
    hub.use_here(monkeypatch)
    record = {**TRAINING, "data": {**TRAINING["data"], "repo": "org/corpus", "revision": "c" * 40}}
    (core_folder / "training.json").write_text(json.dumps(record))
    results = results_file(tmp_path / "results.json", core)
    push_model(core_folder, f"{hub.namespace}/figures", results=results)
    entries = yaml.safe_load(hub.files("models", "figures")[".eval_results/dialogue-cube.yaml"])
    assert {entry["dataset"]["id"] for entry in entries} == {"org/corpus"}
    assert {entry["dataset"]["task_id"]: entry["value"] for entry in entries} == {
        "response-selection-tiny-accuracy_1_of_100": 0.5123,
        "response-selection-tiny-mrr": 0.5123,
    }


@pytest.fixture
def index(core_folder, tmp_path):
    """A saved index of the core, with one answer that may not be redistributed."""
    import pyarrow as pa

    from cube_model.inference.index import AnswerIndex
    from cube_model.inference.loading import core_fingerprint, load_core
    from cube_model.inference.search import make_search

    vectors = np.eye(24, dtype=np.float32)[:3]
    texts, redistributable = ["Yes.", "No.", "The secret word is xylograph."], [True, True, False]
    table = {
        "text": texts,
        "source": ["tiny", "tiny", "closed"],
        "license": ["MIT"] * 3,
        "redistributable": redistributable,
    }
    core = load_core(core_folder)
    fingerprints = {"core": core_fingerprint(core), "data": "0", "teacher": core.config.teacher["fingerprint"]}
    AnswerIndex(pa.table(table), make_search(vectors, "exact"), fingerprints).save(tmp_path / "index")
    return tmp_path / "index"


def test_only_redistributable_answers_of_an_index_are_pushed(hub, core_folder, index, tmp_path, monkeypatch):
    from cube_model.inference.index import AnswerIndex

    hub.use_here(monkeypatch)
    result = push_model(core_folder, f"{hub.namespace}/indexed", index=index)
    assert result.gate.held_back_by_source() == {"closed": {"index": 1}}
    assert "`index/` contains 2 answers and their embeddings" in result.card
    files = {name: content for name, content in hub.files("models", "indexed").items() if name.startswith("index/")}
    for name, content in files.items():
        assert b"xylograph" not in content
        (tmp_path / "loaded" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "loaded" / name).write_bytes(content)
    loaded = AnswerIndex.load(tmp_path / "loaded" / "index")
    assert loaded.answers["text"].to_pylist() == ["Yes.", "No."]
    np.testing.assert_array_equal(loaded.search.vectors, np.eye(24, dtype=np.float32)[:2])


def test_an_index_of_another_core_is_refused(core, core_folder, index):
    other = with_other_bias(core)
    other.save_pretrained(core_folder)
    with pytest.raises(PushError, match=r"--index .*made with another core"):
        push_model(core_folder, "org/name", PushOptions(dry_run=True), index=index)


LOAD = """
import numpy, torch
from transformers import AutoModel
inputs = torch.from_numpy(numpy.load({inputs!r}))
outputs = []
for revision in {revisions!r}:
    model, report = AutoModel.from_pretrained(
        {repo!r}, revision=revision, trust_remote_code={trust}, output_loading_info=True
    )
    assert not report["missing_keys"] and not report["unexpected_keys"], report
    assert not model.training
    with torch.inference_mode():
        outputs.append(model(inputs).embeddings.numpy())
numpy.save({out!r}, numpy.stack(outputs))
print(type(model).__module__)
"""


@pytest.mark.slow
def test_a_pushed_core_loads_without_this_package(hub, stranger, core, core_folder, tmp_path):
    """The outputs are equal to the last bit, with this package and without it."""
    import torch

    repo = f"{hub.namespace}/cube-core"
    (core_folder / "checkpoints").mkdir()
    (core_folder / "checkpoints" / "optimizer.bin").write_bytes(b"secret")
    push = ["python", "-m", "dialogue_cube", "push", "model", "--model", str(core_folder), "--repo", repo]
    assert "loads with revision='v1'" in hub.run([*push, "--tag", "v1"]).stdout
    files = hub.files("models", "cube-core")
    assert files.keys() == CORE_FILES | TEXT_FILES | {"model.safetensors", "training.json", ".gitattributes"}
    assert b"/home/ann" not in b"".join(files.values())
    # a pull request with other weights does not change main and the tag
    other = with_other_bias(core)
    other.save_pretrained(core_folder)
    assert "revision='refs/pr/1'" in hub.run([*push, "--create-pr"]).stdout

    inputs, out = torch.randn(4, 2, 24), tmp_path / "out.npy"
    np.save(tmp_path / "inputs.npy", inputs.numpy())
    with torch.inference_mode():
        expected = [core(inputs).embeddings.numpy(), other(inputs).embeddings.numpy()]
    assert not np.array_equal(*expected)
    revisions = (None, "v1", "refs/pr/1")
    load = {"inputs": str(tmp_path / "inputs.npy"), "out": str(out), "repo": repo, "revisions": revisions}
    direct = f"model.push_to_hub({repo + '-direct'!r})"  # transformers' own method pushes the same weights and code
    module = hub.run("import cube_model" + LOAD.format(trust=False, **load) + direct).stdout
    assert module.strip() == "cube_model.core.modeling_cube"
    files_of_pull_request = hub.files("models", "cube-core", "refs/pr/1")
    direct_files = hub.files("models", "cube-core-direct")
    assert direct_files.keys() == files_of_pull_request.keys()
    card = files["README.md"].decode().replace(', revision="v1"', "")
    assert direct_files["README.md"].decode() == card.replace("cube-core", "cube-core-direct")
    for path, content in direct_files.items():
        assert path == "README.md" or content == files_of_pull_request[path], path
    np.testing.assert_array_equal(np.load(out), [expected[0], expected[0], expected[1]])
    out.unlink()

    module = hub.run(
        LOAD.format(trust=True, **load) + f"model.push_to_hub({repo + '-again'!r})", python=stranger
    ).stdout
    assert hub.files("models", "cube-core-again").keys() == files.keys()
    assert hub.files("models", "cube-core-again")["README.md"].decode() == card.replace("cube-core", "cube-core-again")
    assert module.startswith("transformers_modules.")
    np.testing.assert_array_equal(np.load(out), [expected[0], expected[0], expected[1]])


def with_other_bias(core):
    import copy

    import torch

    other = copy.deepcopy(core)
    with torch.no_grad():
        other.core.bias.add_(1)
    return other


def write_embedder(folder, own_code=False):
    """Write the files of a SentenceTransformer that a push reads."""
    write_model(folder)
    for code in folder.glob("*.py"):
        code.unlink()
    kinds = {
        "": "sentence_transformers.base.modules.transformer.Transformer",
        "1_Last": "sentence_transformers.Pooling",
    }
    if own_code:
        kinds["1_Last"] = "own_module.Last"
        (folder / "own_module.py").write_text("import torch\nfrom .helper import help\n")
        (folder / "helper.py").write_text("def help(): pass\n")
    (folder / "1_Last").mkdir()
    (folder / "1_Last" / "config.json").write_text("{}")
    save_file({"weight": np.zeros(5, dtype=np.float32)}, folder / "1_Last" / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (folder / "training.json").write_text(json.dumps({"data": {"sources": ["tiny"], "licenses": ["MIT"]}}))
    (folder / "modules.json").write_text(json.dumps([{"path": path, "type": kind} for path, kind in kinds.items()]))
    for stray in ("eval/results.csv", "checkpoint-5/optimizer.pt", "2_Stray/model.safetensors", "notes.py"):
        (folder / stray).parent.mkdir(exist_ok=True)
        (folder / stray).write_text("secret")
    return folder


EMBEDDER_FILES = {"README.md", "config.json", "model.safetensors", "modules.json", "1_Last/config.json"}
EMBEDDER_FILES |= {"1_Last/model.safetensors", "training.json"}


@pytest.mark.parametrize(("own_code", "more"), [(False, set()), (True, {"own_module.py", "helper.py"})])
def test_an_embedder_is_pushed_with_its_modules_and_code(tmp_path, own_code, more):
    result = push_model(write_embedder(tmp_path / "st", own_code), "org/name", PushOptions(dry_run=True))
    assert result.sizes.keys() == EMBEDDER_FILES | more
    trust = ', trust_remote_code=True, revision="COMMIT"' if own_code else ""
    assert f'SentenceTransformer("org/name"{trust})' in result.card


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda d: (d / "1_Last" / "pytorch_model.bin").write_bytes(b"x"),
            "pytorch_model.bin can run code when loaded",
        ),
        (lambda d: (d / "modules.json").write_text("{"), "modules.json: damaged"),
        (lambda d: (d / "modules.json").write_text('[{"path": "../up", "type": "x"}]'), "module '../up', named by"),
        (lambda d: (d / "modules.json").write_text('[{"path": "3_Gone", "type": "x"}]'), "module '3_Gone', named by"),
        (lambda d: (d / "helper.py").unlink(), "code file helper.py is missing"),
    ],
    ids=["pickle", "invalid JSON", "path outside the folder", "missing module", "missing code"],
)
def test_a_folder_that_is_not_an_embedder_is_refused(tmp_path, spoil, message):
    folder = write_embedder(tmp_path / "st", own_code=True)
    spoil(folder)
    with pytest.raises(PushError, match=message):
        push_model(folder, "org/name", PushOptions(dry_run=True))


RECORDS = {
    "private data": {"sources": ["ours"], "licenses": {"ours": ["LicenseRef-private"]}},
    "own data of no recorded licence": {"sources": ["ours"]},
    "a restricted corpus": {"sources": ["camrest676", "smd"]},
    "a restricted corpus under another licence": {"sources": ["smd"], "licenses": {"smd": ["MIT"]}},
    "an encoder's private data among others": {"sources": ["ours"], "licenses": ["LicenseRef-private", "MIT"]},
    "a licence that does not exist": {"sources": ["ours"], "licenses": {"ours": ["MIT", "CC-BY-9.9"]}},
    "no source": {"pairs": 3},
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_model_of_restricted_data_is_pushed_only_if_the_user_says_so(tmp_path, record):
    folder = write_model(tmp_path / "core")
    (folder / "training.json").write_text(json.dumps({"data": record}))
    with pytest.raises(
        PushError, match=r"may not be redistributed, or whose licence is unknown: .*--restricted-data if"
    ):
        push_model(folder, "org/name", PushOptions(dry_run=True))
    card = push_model(folder, "org/name", PushOptions(dry_run=True, restricted_data=True)).card
    header = yaml.safe_load(card.split("---\n")[1])
    assert (header["license"], header["license_name"]) == ("other", "terms-of-the-training-data")
    assert "the weights are under the terms of the data" in card
    assert "Weights and code are under" not in card


def test_a_model_without_any_record_is_restricted(tmp_path):
    folder = write_model(tmp_path / "core")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"training": None}))
    with pytest.raises(PushError, match=r"training data \(not recorded\)"):
        push_model(folder, "org/name", PushOptions(dry_run=True))
