"""People who are not us, each in a virtual environment of their own, with nothing but the Hub between us.

One story: we publish a corpus; somebody who installed the wheel trains a core and an embedder from it, exports the core
and publishes all three; somebody who never heard of the package, and somebody who installed it, use what is there;
then both pull the plug and use it again.
"""

import json
import re

import pytest

from hub.fixtures import Hub
from support.tiny_teacher import save_tiny_distilbert

pytestmark = pytest.mark.slow

CONFIGS = ("dialogues", "pairs", "downstream")
ANSWERS = "Is there a cheap hotel?"

CHECKS = """
import json, os, sys
found = {}

def check(function):
    try:
        found[function.__name__] = function()
    except Exception as error:
        found[function.__name__] = f"{type(error).__name__}: {error}"
"""

DATA = (
    CHECKS
    + """
repo = sys.argv[1]
online = not os.environ.get("HF_HUB_OFFLINE")

@check
def package():
    import importlib.util
    return importlib.util.find_spec("cube_model") is None

@check
def configs():
    from datasets import load_dataset
    loaded = {c: load_dataset(repo, c) for c in ("dialogues", "pairs", "downstream")}
    return {c: {split: len(rows) for split, rows in splits.items()} for c, splits in loaded.items()}

@check
def tag():
    from datasets import load_dataset
    return len(load_dataset(repo, "pairs", split="train", revision="v1.0"))

if online:
    @check
    def streaming():
        from datasets import load_dataset
        stream = load_dataset(repo, "pairs", split="train", streaming=True)
        return [sum(1 for _ in stream), sorted(next(iter(stream)))]

    @check
    def column_filter():
        from datasets import load_dataset
        filters = [("anchor_speaker", "==", "user"), ("positive_speaker", "==", "system")]
        options = {"columns": ["anchor", "positive", "license"], "filters": filters}
        rows = load_dataset(repo, "pairs", split="train", **options)
        stream = load_dataset(repo, "pairs", split="train", streaming=True, **options)
        return [rows.column_names, len(rows), sum(1 for _ in stream)]

    @check
    def pandas():
        import pandas
        frame = pandas.read_parquet(f"hf://datasets/{repo}/pairs/train-00000-of-00001.parquet")
        return [len(frame), int((frame["anchor_speaker"] == "user").sum())]

@check
def duckdb():
    import duckdb
    from huggingface_hub import snapshot_download
    folder = snapshot_download(repo, repo_type="dataset", allow_patterns=["pairs/*", "quality/*"])
    rows = duckdb.sql(f"SELECT source, count(*) FROM '{folder}/pairs/train-*.parquet' GROUP BY ALL").fetchall()
    report = json.load(open(f"{folder}/quality/report.json"))
    return [rows, report["fingerprint"]]

print(json.dumps(found))
"""
)

MODELS = (
    CHECKS
    + """
import torch

core, embedder, export, trust = *sys.argv[1:4], json.loads(sys.argv[4])

@check
def auto_model():
    from transformers import AutoConfig, AutoModel
    config = AutoConfig.from_pretrained(core, revision="v1.0", trust_remote_code=trust)
    model = AutoModel.from_pretrained(core, revision="v1.0", trust_remote_code=trust).eval()
    torch.manual_seed(0)
    given = torch.nn.functional.normalize(torch.randn(2, config.embedding_dim), dim=-1)
    with torch.inference_mode():
        return [type(model).__module__.split(".")[0], model(given).embeddings.sum(-1).tolist()]

if trust:
    @check
    def sentence_transformer_of_the_embedder():
        from sentence_transformers import SentenceTransformer
        return SentenceTransformer(embedder).encode(["Hello", "Is it open?"]).shape

    @check
    def sentence_transformer_of_the_exported_core():
        from sentence_transformers import SentenceTransformer
        model = SentenceTransformer(export, trust_remote_code=True)
        question, answers = model.encode_query(["Is it open?"]), model.encode_document(["Yes.", "No."])
        return list(model.similarity(question, answers).shape)

print(json.dumps(found))
"""
)


PUBLISH = """
import sys
from cube_model.inference.export import export_sentence_transformer
from push_scripts.push_model import push_model
from push_scripts.push_options import PushOptions
work, org = sys.argv[1:]
export_sentence_transformer(f"{work}/core", f"{work}/export")
for name in ("core", "embedder", "export"):
    push_model(f"{work}/{name}", f"{org}/{name}", PushOptions(tag="v1.0"))
"""


@pytest.fixture(scope="module")
def story(hub_server, installed, tmp_path_factory):
    """All is published; gives the hub, the teacher's setting and how many rows there are."""
    from dataset_builders.corpus.build import build_dataset
    from dataset_builders.sample import write_sample

    root = tmp_path_factory.mktemp("story")
    save_tiny_distilbert(root / "teachers" / "distilbert")
    write_sample(root / "raw")
    build_dataset(["camrest676", "banking77"], root / "raw", root / "data", cache_dir=root / "cache")
    hub = Hub(hub_server, root / "clients")
    author = hub.env | {"TEACHERS_DIR": str(root / "teachers"), "XDG_CACHE_HOME": str(root / "xdg")}
    org, work = hub.namespace, str(root)

    def run(*command):
        return hub.run(list(command), python=installed, env=author)

    run("dialogue-cube", "push", "dataset", "--data", f"{work}/data", "--repo", f"{org}/corpus", "--tag", "v1.0")
    settings = ["--data", f"{org}/corpus", "--epochs", "1"]
    launch = ["accelerate", "launch", "--num_processes", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launch += ["--num_machines", "1", "--num_cpu_threads_per_process", "1", "-m"]
    run(*launch, "cube_model.train", *settings, "--teacher", "distilbert", "--output", f"{work}/core")
    run(*launch, "cube_model.embedder", *settings, "--base", "distilbert", "--batch-size", "8", "--max-steps", "2",
        "--output", f"{work}/embedder")  # fmt: skip
    run("python", "-c", PUBLISH, work, org)
    return hub, author, org


def offline(variables):
    return {**variables, "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}


def last_line(done):
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def data_of_a_stranger(story, stranger):
    """What somebody without the package finds, online and then offline from the cache."""
    hub, _, org = story
    user = hub.env | {"HF_TOKEN": None}
    command = ["python", "-c", DATA, f"{org}/corpus"]
    return [last_line(hub.run(command, python=stranger, env=env)) for env in (user, offline(user))]


@pytest.fixture(scope="module")
def models_of_a_stranger(story, stranger):
    hub, _, org = story
    user = hub.env | {"HF_TOKEN": None}
    command = ["python", "-c", MODELS, f"{org}/core", f"{org}/embedder", f"{org}/export", "true"]
    return [last_line(hub.run(command, python=stranger, env=env)) for env in (user, offline(user))]


@pytest.mark.parametrize("where", ["online", "offline"])
def test_rows_without_the_package(data_of_a_stranger, story, where):
    found = data_of_a_stranger[where == "offline"]
    report = json.loads(story[0].files("datasets", "corpus")["quality/report.json"])
    counts = report["sources"]["camrest676"]["splits"]
    assert found["package"] is True
    assert found["configs"]["pairs"] == {split: rows["pairs"] for split, rows in counts.items()}
    assert found["configs"]["dialogues"] == {split: rows["dialogues"] for split, rows in counts.items()}
    assert found["configs"]["downstream"]["test"] == report["sources"]["banking77"]["splits"]["test"]["rows"]
    train = found["configs"]["pairs"]["train"]
    assert found["tag"] == train
    assert found["duckdb"] == [[["camrest676", train]], report["fingerprint"]]
    if where == "online":
        assert found["streaming"][0] == train
        assert {"anchor", "positive", "license"} <= set(found["streaming"][1])
        columns, questions, streamed = found["column_filter"]
        assert columns == ["anchor", "positive", "license"]
        assert 0 < questions == streamed < train
        assert found["pandas"][0] == train


@pytest.mark.parametrize("where", ["online", "offline"])
def test_models_without_the_package(models_of_a_stranger, where):
    found = models_of_a_stranger[where == "offline"]
    assert found["auto_model"][0] == "transformers_modules"
    assert found["auto_model"] == models_of_a_stranger[0]["auto_model"]
    assert found["sentence_transformer_of_the_embedder"] == [2, 768]
    assert found["sentence_transformer_of_the_exported_core"] == [1, 2]


def test_auto_classes_with_the_package(story, installed, models_of_a_stranger):
    """Our own class by `import cube_model`, no remote code allowed; the same numbers as a stranger's."""
    hub, author, org = story
    command = [
        "python",
        "-c",
        f"import cube_model\n{MODELS}",
        f"{org}/core",
        f"{org}/embedder",
        f"{org}/export",
        "false",
    ]
    found = last_line(hub.run(command, python=installed, env=author))
    module, numbers = found["auto_model"]
    assert module == "cube_model"
    assert numbers == models_of_a_stranger[0]["auto_model"][1]


def test_ask_from_the_hub_and_then_offline(story, installed):
    hub, author, org = story
    user = author | {"HF_HOME": hub.env["HF_HOME"]}
    command = ["dialogue-cube", "ask", "--model", f"{org}/core", "--data", f"{org}/corpus", "-k", "3", ANSWERS]
    said = [hub.run(command, python=installed, env=env).stdout for env in (user, offline(user))]
    assert said[0] == said[1]
    assert len(re.findall(r"Apache-2\.0", said[0])) == 3


def test_card_of_each_repository(story):
    """Every card has its licence, facts and figures filled in; training on the Hub's dataset is linked."""
    hub, _, org = story
    card = hub.files("models", "core")["README.md"].decode()
    assert f"datasets:\n- {org}/corpus" in card
    assert "| camrest676 | Apache-2.0 |" in card
    assert "g CO2eq" in card
    assert (
        f'SentenceTransformer("{org}/export", trust_remote_code=True)'
        in hub.files("models", "export")["README.md"].decode()
    )
    assert "library_name: sentence-transformers" in hub.files("models", "embedder")["README.md"].decode()
