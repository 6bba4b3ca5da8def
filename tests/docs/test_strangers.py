"""Other people use published data and models, each in a separate virtual environment.

A dataset is pushed to the Hub. An author with the installed wheel trains a core and an embedder on it, exports the core
and pushes all three. A user without this package and one with it load everything, first online, then offline.
"""

import json
import re

import numpy as np
import pytest

from hub.fixtures import Hub
from support.tiny_teacher import save_tiny_distilbert

pytestmark = pytest.mark.slow

CONFIGS = ("dialogues", "pairs", "downstream")
QUESTION = "Is there a cheap hotel?"

CHECKS = """
import json, os, sys
results = {}

def check(function):
    try:
        results[function.__name__] = function()
    except Exception as error:
        results[function.__name__] = f"{type(error).__name__}: {error}"
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
    loaded = {c: load_dataset(repo, c) for c in ("dialogues", "pairs", "downstream", "banking77")}
    return {c: {split: len(rows) for split, rows in splits.items()} for c, splits in loaded.items()}

@check
def tag():
    from datasets import load_dataset
    return len(load_dataset(repo, "pairs", split="train", revision="v1.0"))

if online:  # datasets cannot tell offline which config is the default
    @check
    def by_default():
        from datasets import load_dataset
        return {split: len(rows) for split, rows in load_dataset(repo).items()}

    @check
    def streaming():
        from datasets import load_dataset
        stream = load_dataset(repo, "pairs-full", split="train", streaming=True)
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

print(json.dumps(results))
"""
)

MODELS = (
    CHECKS
    + """
import torch

core, embedder, export, trust = *sys.argv[1:4], json.loads(sys.argv[4])
CONVERSATION = [("user", "I need a hotel."), ("assistant", "In which part of town?"), ("user", "In the north.")]
CONVERSATION = [{"role": role, "content": text} for role, text in CONVERSATION]

@check
def auto_model():
    from transformers import AutoConfig, AutoModel
    config = AutoConfig.from_pretrained(core, revision="v1.0", trust_remote_code=trust)
    model = AutoModel.from_pretrained(core, revision="v1.0", trust_remote_code=trust).eval()
    torch.manual_seed(0)
    inputs = torch.nn.functional.normalize(torch.randn(2, config.embedding_dim), dim=-1)
    with torch.inference_mode():
        return [type(model).__module__.split(".")[0], model(inputs).embeddings.sum(-1).tolist()]

if trust:
    @check
    def code_of_the_card():
        import re
        from huggingface_hub import hf_hub_download
        global model
        card = open(hf_hub_download(core, "README.md", revision="v1.0")).read()
        five_lines, conversation = re.findall(r"```python\\n(.*?)```", card, re.DOTALL)[:2]
        names, printed = {}, []
        exec(five_lines, {**names, "print": printed.append}, names)
        exec(conversation, names)
        model = names["model"]
        return [printed[0] in names["answers"], names["question"].shape]

    @check
    def vectors():
        questions = model.encode_query([CONVERSATION, "In the north."])
        return [*questions.tolist(), *model.encode_document(["In the north."]).tolist()]

    @check
    def pipeline_of_transformers():
        from transformers import pipeline
        pipe = pipeline("feature-extraction", core, revision="v1.0", trust_remote_code=True, device="cpu")
        return [*pipe([CONVERSATION, "In the north."]), pipe("In the north.", task="document")]

    @check
    def handler_of_an_endpoint():
        import importlib.util
        from huggingface_hub import snapshot_download
        folder = snapshot_download(core, revision="v1.0")
        spec = importlib.util.spec_from_file_location("handler.EndpointHandler", f"{folder}/handler.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["handler.EndpointHandler"] = module
        spec.loader.exec_module(module)
        handle = module.EndpointHandler(folder)
        requests = [{"inputs": CONVERSATION, "parameters": {"k": 2}}, {"inputs": ["In the north."]}]
        requests += [{"inputs": "In the north.", "parameters": {"task": "document"}}]
        return json.loads(json.dumps([handle(request) for request in requests]))

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

print(json.dumps(results))
"""
)

ONLINE_AND_OFFLINE = """
import os, sys
import pandas, pyarrow, scipy.stats, sklearn.metrics, torch

for settings in ({}, {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}):
    if not os.fork():
        os.environ.update(settings)
        exec(os.environ.pop("CODE"), {"__name__": "__main__"})
        sys.exit()
    assert os.wait()[1] == 0, settings
    print("END", flush=True)
"""
"""Runs code in a new process with the Hub, and in another one without it, from the cache that the first one filled.

Both share the imports of libraries that know no Hub, which take most of the time.
"""


PUBLISH = """
import json, sys
from cube_model.inference.export import export_sentence_transformer
from cube_model.inference.retriever import CubeRetriever
from push_scripts.push_model import push_model
from push_scripts.push_options import PushOptions
work, org = sys.argv[1:]
teacher = f"{org}/tiny-encoder"
export_sentence_transformer(f"{work}/core", f"{work}/export", teacher=teacher)
retriever = CubeRetriever.from_pretrained(f"{work}/core", f"{work}/data", index=f"{work}/index", teacher=teacher)
for name in ("core", "embedder", "export"):
    index = f"{work}/index" if name == "core" else None
    push_model(f"{work}/{name}", f"{org}/{name}", PushOptions(tag="v1.0"), index=index)
answers = retriever.ask("In the north.", ["I need a hotel.", "In which part of town?"], k=2)
print(json.dumps([[answer.text, answer.score] for answer in answers]))
"""


@pytest.fixture(scope="module")
def story(hub_server, installed, sample_raw, tmp_path_factory):
    """Publish everything; return the Hub, the environment of the author and the namespace."""
    from dataset_builders.corpus.build import build_dataset

    root = tmp_path_factory.mktemp("story")
    encoder = save_tiny_distilbert(root / "teachers" / "distilbert")
    build_dataset(["camrest676", "banking77"], sample_raw, root / "data", cache_dir=root / "cache")
    hub = Hub(hub_server, root / "clients")
    author = hub.env | {"TEACHERS_DIR": str(root / "teachers"), "XDG_CACHE_HOME": str(root / "xdg")}
    org, work = hub.namespace, str(root)

    def run(*command):
        return hub.run(list(command), python=installed, env=author)

    run("dialogue-cube", "push", "dataset", "--data", f"{work}/data", "--repo", f"{org}/corpus", "--tag", "v1.0")
    settings = ["--data", f"{org}/corpus"]
    launch = ["accelerate", "launch", "--num_processes", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launch += ["--num_machines", "1", "--num_cpu_threads_per_process", "1", "-m"]
    upload = f"import huggingface_hub as hub; hub.create_repo('{org}/tiny-encoder'); "
    run("python", "-c", f"{upload} hub.upload_folder(repo_id='{org}/tiny-encoder', folder_path='{encoder}')")
    # one epoch need not be better than none, which would select a core that reads no context
    # float32, since bfloat16 rounds the vectors of a text differently in each batch
    run(*launch, "cube_model.train", *settings, "--epochs", "3", "--validation", "split", "--context-turns", "2",
        "--teacher", f"{org}/tiny-encoder", "--teacher-dtype", "float32", "--output", f"{work}/core")  # fmt: skip
    run("python", "-m", "cube_model.embedder", *settings, "--epochs", "1", "--base", "distilbert", "--batch-size", "8",
        "--max-steps", "2", "--output", f"{work}/embedder")  # fmt: skip
    answers = last_line(run("python", "-c", PUBLISH, work, org).stdout)
    return hub, author, org, answers


def online_and_offline(hub, code, *arguments, **options):
    """Outputs of `ONLINE_AND_OFFLINE`; options as for `Hub.run`."""
    command = ["python", "-c", ONLINE_AND_OFFLINE, *arguments]
    env = {**options.pop("env"), "CODE": code}
    online, offline, _ = hub.run(command, env=env, **options).stdout.split("END\n")
    return online, offline


def last_line(output):
    return json.loads(output.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def results_on_data(story, stranger):
    """Results of `DATA` without the package, online and then offline from the cache."""
    hub, _, org, _ = story
    outputs = online_and_offline(hub, DATA, f"{org}/corpus", python=stranger, env={"HF_TOKEN": None})
    return [last_line(output) for output in outputs]


@pytest.fixture(scope="module")
def results_on_models(story, stranger):
    """Results of `MODELS` without the package, online and then offline from the cache."""
    hub, _, org, _ = story
    models = [f"{org}/{name}" for name in ("core", "embedder", "export")]
    outputs = online_and_offline(hub, MODELS, *models, "true", python=stranger, env={"HF_TOKEN": None})
    return [last_line(output) for output in outputs]


@pytest.mark.parametrize("where", ["online", "offline"])
def test_rows_without_the_package(results_on_data, story, where):
    results = results_on_data[where == "offline"]
    report = json.loads(story[0].files("datasets", "corpus")["quality/report.json"])
    counts = report["sources"]["camrest676"]["splits"]
    assert results["package"] is True
    assert results["configs"]["pairs"] == {split: rows["pairs"] for split, rows in counts.items()}
    assert results["configs"]["dialogues"] == {split: rows["dialogues"] for split, rows in counts.items()}
    assert results["configs"]["banking77"] == results["configs"]["downstream"]
    assert results["configs"]["downstream"]["test"] == report["sources"]["banking77"]["splits"]["test"]["rows"]
    train = results["configs"]["pairs"]["train"]
    assert results["tag"] == train
    assert results["duckdb"] == [[["camrest676", train]], report["fingerprint"]]
    if where == "online":
        assert results["by_default"] == results["configs"]["pairs"]
        assert results["streaming"][0] == train
        assert {"anchor", "positive", "license"} <= set(results["streaming"][1])
        columns, questions, streamed = results["column_filter"]
        assert columns == ["anchor", "positive", "license"]
        assert 0 < questions == streamed < train
        assert results["pandas"][0] == train


@pytest.mark.parametrize("where", ["online", "offline"])
def test_models_without_the_package(results_on_models, where):
    results = results_on_models[where == "offline"]
    assert results["auto_model"][0] == "transformers_modules"
    assert results["auto_model"] == results_on_models[0]["auto_model"]
    assert results["sentence_transformer_of_the_embedder"] == [2, 768]
    assert results["sentence_transformer_of_the_exported_core"] == [1, 2]
    assert results["code_of_the_card"] == [True, [768]]


@pytest.mark.parametrize("where", ["online", "offline"])
def test_texts_and_conversations_without_the_package(results_on_models, story, where):
    """sentence-transformers, pipeline and an endpoint give the same vectors, and the answers of the package."""
    results = results_on_models[where == "offline"]
    conversation, question, answer = np.array(results["vectors"])
    assert np.abs(conversation - question).max() > 1e-3
    assert np.abs(answer - question).max() > 1e-3
    np.testing.assert_allclose(results["pipeline_of_transformers"], results["vectors"], atol=1e-5)
    first, second, third = results["handler_of_an_endpoint"]
    embeddings = [*first["embeddings"], *second["embeddings"], *third["embeddings"]]
    np.testing.assert_allclose(embeddings, results["vectors"], atol=1e-5)
    assert "answers" not in third
    assert len(second["answers"][0]) == 5
    expected = story[3]
    assert [found["text"] for found in first["answers"][0]] == [text for text, _ in expected]
    np.testing.assert_allclose(
        [found["score"] for found in first["answers"][0]], [score for _, score in expected], atol=1e-5
    )
    assert first["answers"][0][0].keys() == {"text", "source", "license", "score"}


def test_auto_classes_with_the_package(story, installed, results_on_models):
    """The class of the package, without remote code, gives the same numbers."""
    hub, author, org, _ = story
    command = [
        "python",
        "-c",
        f"import cube_model\n{MODELS}",
        f"{org}/core",
        f"{org}/embedder",
        f"{org}/export",
        "false",
    ]
    results = last_line(hub.run(command, python=installed, env=author).stdout)
    module, numbers = results["auto_model"]
    assert module == "cube_model"
    assert numbers == results_on_models[0]["auto_model"][1]


def test_ask_from_the_hub_and_then_offline(story, installed):
    hub, author, org, _ = story
    user = author | {"HF_HOME": hub.env["HF_HOME"]}
    ask = ["ask", "--model", f"{org}/core", "--data", f"{org}/corpus", "-k", "3", QUESTION]
    ask += ["--teacher", f"{org}/tiny-encoder"]
    outputs = online_and_offline(hub, "from dialogue_cube import main; main()", *ask, python=installed, env=user)
    assert outputs[0] == outputs[1]
    assert len(re.findall(r"Apache-2\.0", outputs[0])) == 3


def test_the_cards_are_filled(story):
    """The card of the core links the dataset and the exported core."""
    hub, _, org, _ = story
    card = hub.files("models", "core")["README.md"].decode()
    commit = hub.repo("datasets", "corpus").resolve("main").oid
    assert f"`{org}/corpus` at commit `{commit[:12]}`" in card
    assert "answer (" in card
    assert f"datasets:\n- {org}/corpus" in card
    assert "| camrest676 | Apache-2.0 |" in card
    assert "g CO2eq" in card
    assert (
        f'SentenceTransformer("{org}/export", trust_remote_code=True, revision="v1.0")'
        in hub.files("models", "export")["README.md"].decode()
    )
    assert "library_name: sentence-transformers" in hub.files("models", "embedder")["README.md"].decode()
