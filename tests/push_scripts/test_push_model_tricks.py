"""Tricks that put something else beside, or in place of, what a model, assistant or Space is made of: nothing gets out."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import load_file, save_file

from cube_model.assistant.build import build_assistant
from cube_model.assistant.config import AssistantConfig
from cube_model.assistant.published import write_published
from cube_model.assistant.store import ENTRIES, AnswerStore, read_manifest
from dataset_builders.common.integrity import xxh3
from hub.invented import pair, write_dataset
from push_scripts.errors import PushError
from push_scripts.license_gate import LicenseGate
from push_scripts.push_assistant import OWNED, push_assistant
from push_scripts.push_model import push_model
from push_scripts.push_options import PushOptions
from push_scripts.space_folder import PACKAGE_DATA, PACKAGES, copy_package
from support.assistant_fixtures import save_encoder, write_faq

SECRET = "The secret word of the customer is xylograph."
DRY = PushOptions(dry_run=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """An assistant of open answers, one of which is removed, and its encoder."""
    root = tmp_path_factory.mktemp("built")
    encoder = save_encoder(root / "tiny")
    (encoder / "tried-on.json").write_text(json.dumps([SECRET]))
    rows = [pair(f"open{number}", f"A ticket to town {number}, please.", context=[]) for number in range(12)]
    data = write_dataset(root / "data", {("pairs", "train"): [*rows, pair("open12", SECRET, context=[])]})
    folder = build_assistant(AssistantConfig(data=str(data), encoder=str(encoder)), root / "assistant")
    removed = [row["id"] for row in AnswerStore(folder).view().table.to_pylist() if row["question"] == SECRET]
    AnswerStore(folder).remove(removed)
    return folder


@pytest.fixture
def assistant(built, tmp_path):
    return Path(shutil.copytree(built, tmp_path / "assistant"))


def put(path):
    """A trick: write the secret to a file below the assistant."""

    def trick(folder):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(SECRET)

    return trick


def other_weights(folder):
    file = folder / "encoder" / "model.safetensors"
    save_file({name: tensor + np.float32(0.01) for name, tensor in load_file(file).items()}, file)


def entries(**columns):
    """A trick: other values in the entries, with right digests."""

    def trick(folder):
        import pyarrow.parquet as pq

        manifest = read_manifest(folder)
        segment = manifest["segments"][0]
        file = folder / "segments" / segment["name"] / ENTRIES
        table = pq.read_table(file)
        for name, value in columns.items():
            place = table.schema.get_field_index(name)
            table = table.set_column(place, name, pa.array([value] * len(table), table.schema.field(name).type))
        pq.write_table(table, file)
        segment["digests"][ENTRIES] = xxh3(file)
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return trick


def in_manifest(**values):
    def trick(folder):
        manifest = read_manifest(folder) | values
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return trick


ASSISTANT = {
    "a file beside": put("chats.json"),
    "a file of weights beside": put("chats.safetensors"),
    "JSON in the encoder": put("encoder/chats.json"),
    "text in the encoder": put("encoder/chats.txt"),
    "a module that the encoder does not have": put("encoder/2_Chats/model.safetensors"),
    "weights of another encoder": other_weights,
    "intents that were not built in": put("intents/intents.json"),
    "a core that was not built in": put("core/config.json"),
    "a segment that the manifest does not name": put("segments/000009/entries.parquet"),
    "a file in a segment": put("segments/000001/chats.parquet"),
    "a working folder of a segment": put("segments/.000009.part/entries.parquet"),
    "another source": entries(source="smd", dialogue_id="smd/7"),
    "a source in capitals": entries(source="SMD", dialogue_id="SMD/7"),
    "no source": entries(source="", dialogue_id="/7"),
    "a source that its dialogue does not have": entries(source="mine"),
    "a licence that does not exist": entries(license="CC-BY-9.9"),
    "own files whose answers were removed": lambda folder: in_manifest(
        options=read_manifest(folder)["options"] | {"own": ["acme-chats.csv"]}
    )(folder),
    "no record of restricted parts": in_manifest(restricted=None),
}


@pytest.mark.parametrize("trick", ASSISTANT.values(), ids=ASSISTANT)
def test_an_assistant_is_published_without_it_or_refused(assistant, tmp_path, trick):
    trick(assistant)
    try:
        sizes = push_assistant(assistant, "org/name", DRY).sizes
    except PushError:
        return
    write_published(assistant, tmp_path / "published", "org/name")
    files = [path for path in (tmp_path / "published").rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path / "published").as_posix() for path in files} == sizes.keys()
    assert not [path for path in files if b"xylograph" in path.read_bytes() or "hats" in path.name]


def test_an_assistant_of_open_answers_is_published_otherwise(assistant):
    sizes = push_assistant(assistant, "org/name", DRY).sizes
    assert {"encoder/model.safetensors", "encoder/tokenizer.json", "manifest.json"} <= sizes.keys()


@pytest.mark.parametrize("name", ["core/model.safetensors", "calibration-3.json", "segments/000001/entries.parquet"])
def test_parts_of_an_earlier_push_are_deleted(name):
    """A core that the next assistant does not have stays on the Hub otherwise."""
    assert OWNED.fullmatch(name)
    assert not OWNED.fullmatch(f"mine/{name}")


def test_own_files_are_refused_also_when_their_answers_are_gone(tmp_path, built):
    data = built.parent / "data"
    own = [str(write_faq(tmp_path / "desk.csv"))]
    config = AssistantConfig(data=str(data), own=own, encoder=str(built.parent / "tiny"))
    store = AnswerStore(build_assistant(config, tmp_path / "assistant"))
    store.remove([row["id"] for row in store.view().table.to_pylist() if row["source"] == "desk"])
    with pytest.raises(PushError, match=r"calibration \(your own files\); nothing was pushed"):
        push_assistant(tmp_path / "assistant", "org/name", DRY)


@pytest.fixture
def encoder(tmp_path):
    """An encoder with the record of an open training."""
    from cube_model.teacher.trained_files import digests_of

    folder = save_encoder(tmp_path / "encoder")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    kinds = {"": "sentence_transformers.models.Transformer", "1_Pooling": "sentence_transformers.models.Pooling"}
    modules = [{"idx": number, "path": path, "type": kind} for number, (path, kind) in enumerate(kinds.items())]
    (folder / "modules.json").write_text(json.dumps(modules))
    record = {"data": {"sources": ["tiny"], "licenses": ["MIT"]}, "files": digests_of(folder)}
    (folder / "training.json").write_text(json.dumps(record))
    return folder


@pytest.mark.parametrize(
    "stray", ["chats.model", "chats.json", "1_Pooling/chats.json", "1_Pooling/chats.model", "flow.html"]
)
def test_an_encoder_is_published_without_other_files(encoder, stray):
    whole = push_model(encoder, "org/name", DRY).sizes
    put(stray)(encoder)
    assert push_model(encoder, "org/name", DRY).sizes == whole
    assert "1_Pooling/config.json" in whole


def test_weights_that_the_recorded_training_did_not_write_are_refused(encoder):
    file = encoder / "model.safetensors"
    save_file({name: tensor + np.float32(0.01) for name, tensor in load_file(file).items()}, file)
    with pytest.raises(PushError, match=r"model.safetensors: damaged or changed since the training"):
        push_model(encoder, "org/name", DRY)


LONG = "The xylograph engineer comes to your house on Tuesday."


@pytest.mark.parametrize("text", [LONG, LONG.upper(), LONG.replace(".", "!"), f" {LONG} "])
def test_an_answer_of_an_index_that_repeats_a_restricted_one_is_held_back(text):
    from push_scripts.index_folder import admitted

    rows = {"text": [LONG, text, "Yes.", "Yes."], "source": ["smd", "mine", "smd", "mine"], "license": ["MIT"] * 4}
    table = pa.table(rows | {"redistributable": [True] * 4})
    assert admitted(table).to_pylist() == [False, False, False, True]


@pytest.mark.parametrize("source", [None, "", " ", "SMD", "s-m-d"])
def test_an_answer_without_an_open_source_is_held_back(source):
    sources = pa.array([source], pa.string())
    table = pa.table({"source": sources, "license": ["MIT"], "redistributable": [True]})
    assert LicenseGate({}).passes(table).to_pylist() == [False]


def test_a_space_is_made_of_the_files_of_the_package(tmp_path):
    """Not of what somebody keeps in a checkout."""
    root = Path(
        shutil.copytree(
            Path(copy_package.__code__.co_filename).parents[1] / "push_scripts", tmp_path / "root/push_scripts"
        )
    )
    for name in ("dataset_builders", "cube_model"):
        (root.parent / name).mkdir()
    for stray in ("chats.csv", "dataset/pairs.parquet", ".env", "space/.env", "corpus.duckdb", "py.typed.bak"):
        put(stray)(root)
    shutil.copyfile(
        Path(copy_package.__code__.co_filename).parents[1] / "dialogue_cube.py", root.parent / "dialogue_cube.py"
    )
    (tmp_path / "space").mkdir()
    copy_package(tmp_path / "space", root.parent)
    assert not [
        path for path in (tmp_path / "space").rglob("*") if path.is_file() and b"xylograph" in path.read_bytes()
    ]
    assert (tmp_path / "space/push_scripts/space/app.py").is_file()


def test_the_files_of_the_package_are_those_of_pyproject():
    tomllib = pytest.importorskip("tomllib")
    root = Path(__file__).parents[2]
    declared = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert {name: sorted(PACKAGE_DATA[name]) for name in PACKAGES} == {
        name: sorted(declared[name]) for name in PACKAGES
    }
