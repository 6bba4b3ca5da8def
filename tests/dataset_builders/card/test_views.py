"""The configs of the card: trainers of other libraries take them as they are."""

import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from datasets import get_dataset_config_names, load_dataset

from dataset_builders.card.card import write_card
from dataset_builders.card.views import STORED
from dataset_builders.schema import ARROW_SCHEMAS, FEATURES
from hub.invented import dialogue, pair, utterance, write_dataset
from support.tiny_chat import save_tiny_chat_model
from support.tiny_teacher import save_tiny_distilbert

TEXTS = ["Two tickets, please.", "Is it open?", "A taxi to the zoo!", "What does it cost?"]
PAIRS = [
    pair(f"p{i}", text, negative=negative, negatives=[negative] if negative else [])
    for i, (text, negative) in enumerate(zip(TEXTS, ["No seat.", None, "No cab.", None], strict=True))
]
DIALOGUES = [dialogue(f"d{i}", text) for i, text in enumerate(TEXTS)] + [dialogue("d9", messages=[], message_count=0)]
INTENTS = [
    utterance("0", "where is it", label="cards/track", language="en"),
    utterance("1", "wo ist sie", label="cards/track", language="de"),
    utterance("2", "stop", label="cards/block", language="en"),
    utterance("3", "a table for two", source="pairs", label="pairs/book", language="en"),
    utterance("5", "move it, how much", source="spa", label="spa/cost+spa/move", labels=["spa/cost", "spa/move"]),
    utterance("6", "ten", source="spa", label="spa/none", labels=[]),
]
ROWS = {
    ("dialogues", "train"): DIALOGUES,
    ("pairs", "train"): PAIRS,
    ("pairs", "test"): [pair("t", negative=None, negatives=[])],
    ("downstream", "train"): INTENTS,
    ("downstream", "test"): [utterance("4", "close it", label="cards/close", language="en")],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_dataset(tmp_path_factory.mktemp("views") / "dataset", ROWS)
    write_card(folder)
    return folder


@pytest.fixture(scope="module")
def load(folder, tmp_path_factory):
    cache = str(tmp_path_factory.mktemp("cache"))
    return lambda *config, **options: load_dataset(str(folder), *config, cache_dir=cache, **options)


@pytest.fixture(scope="module")
def example(folder):
    """The example in the card that uses a library, with models that need no network."""
    code = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)

    def find(library, **replaced):
        (example,) = (part for part in code if f"from {library} import" in part)
        for old, new in {"ORG/NAME": folder, "max_steps=1000": "max_steps=1, use_cpu=True", **replaced}.items():
            assert old in example
            example = example.replace(old, str(new))
        return example

    return find


def test_without_a_name_the_lean_pairs_are_loaded(load):
    rows = load()
    assert {split: part.column_names for split, part in rows.items()} == {
        "train": ["anchor", "positive"],
        "test": ["anchor", "positive"],
    }
    assert rows["train"]["anchor"][:] == TEXTS


def test_every_view_has_the_rows_of_the_stored_config(folder, load):
    names = ["pairs", "triplets", "messages", "cards", "pairs-intents", "spa", "pairs-full", "dialogues", "downstream"]
    assert get_dataset_config_names(str(folder)) == names
    rows = {name: load(name) for name in names}
    for name, splits in rows.items():
        streams = load(name, streaming=True)
        assert {split: list(stream) for split, stream in streams.items()} == {s: r.to_list() for s, r in splits.items()}
    assert rows["triplets"]["train"].to_list() == [
        {name: row[name] for name in ("anchor", "positive", "negative")} for row in PAIRS if row["negative"]
    ]
    assert set(rows["triplets"]) == {"train"}
    assert rows["messages"]["train"]["messages"][:] == [row["messages"] for row in DIALOGUES[:-1]]
    for stored, config in {"pairs-full": "pairs", "dialogues": "dialogues", "downstream": "downstream"}.items():
        assert rows[stored]["train"].features == FEATURES[config]
        assert rows[stored]["train"].to_list() == ROWS[config, "train"]


def test_labels_are_classes_with_the_same_numbers_in_every_split(load):
    rows = load("cards")
    label = rows["train"].features["label"]
    assert label == rows["test"].features["label"]
    assert (label.num_classes, label.names) == (3, ["cards/block", "cards/close", "cards/track"])
    assert [label.int2str(n) for n in rows["train"]["label"]] == [row["label"] for row in INTENTS[:3]]
    assert rows["train"].column_names == ["utterance", "label", "language"]
    # of one language, the language is no input of a trainer that takes every text column
    assert load("pairs-intents")["train"].to_list() == [{"utterance": "a table for two", "label": 0}]


def test_a_set_with_several_intents_a_row_has_lists_of_classes(folder, load):
    rows = load("spa", split="train")
    assert rows.features["labels"].feature.names == ["spa/cost", "spa/move"]
    assert rows.to_list() == [{"utterance": "move it, how much", "labels": [0, 1]}, {"utterance": "ten", "labels": []}]
    card = (folder / "README.md").read_text()
    assert "0 is spa/cost, 1 is spa/move" in card
    assert 'Rows of spa have a list of several or none: `rows.features["labels"].feature.names`.' in card


def test_columns_and_filters_replace_those_of_a_view(load):
    rows = load("pairs", split="train", columns=["anchor", "license"], filters=[("negative", "!=", "")])
    assert rows.to_list() == [{"anchor": row["anchor"], "license": "MIT"} for row in PAIRS if row["negative"]]


def test_the_card_has_tags_and_tasks_for_its_rows(folder, tmp_path):
    header = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    assert "sentence-transformers" in header["tags"]
    assert header["task_categories"] == [
        *("text-generation", "sentence-similarity", "text-retrieval", "text-classification")
    ]
    intents = write_dataset(tmp_path / "intents", {("downstream", "train"): INTENTS[:1]})
    write_card(intents)
    header = yaml.safe_load((intents / "README.md").read_text().split("---\n")[1])
    assert "sentence-transformers" not in header["tags"]
    assert header["task_categories"] == ["text-classification"]
    assert {entry["config_name"]: entry.get("default") for entry in header["configs"]} == {
        "cards": None,
        "downstream": True,
    }


def test_examples_pin_the_revision_of_every_model(folder):
    code = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    named = [block for block in code if re.search(r'"(sentence-transformers|Qwen)/', block)]
    assert len(named) == 2
    for block in named:
        assert re.search(r'"?revision"?[=:] ?"[0-9a-f]{40}"', block), block


EMPTY_ROWS = [
    dialogue("e", turns=None),
    dialogue("e", turns=[]),
    dialogue("e", turns=[None]),
    dialogue("e", flags=[None], domains=None, language=None),
    utterance("e", label=None),
    utterance("e", label=None, labels=[None, "a"]),
    pair("e", anchor=None, negatives=None, context=None),
]


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "last"])
@pytest.mark.parametrize("row", EMPTY_ROWS, ids=lambda row: next(iter(row)))
def test_a_card_describes_rows_of_other_programs_that_lack_values(row, alone, tmp_path):
    config = {"dialogue_id": "dialogues", "pair_id": "pairs", "utterance_id": "downstream"}[next(iter(row))]
    full = {"dialogues": dialogue, "pairs": pair, "downstream": utterance}[config]("full")
    rows = [row] if alone else [full, row]
    folder = write_dataset(tmp_path / "dataset", {(config, "train"): [full]})
    schema = ARROW_SCHEMAS[config]
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / config / "train-00000-of-00001.parquet")
    write_card(folder)
    assert f"| `{STORED[config]}`" in (folder / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("config", ["pairs", "triplets"])
def test_sentence_transformers_trains_on_a_view(example, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    save_tiny_distilbert(tmp_path / "model", dimension=8)
    scope = {}
    names = {"sentence-transformers/all-MiniLM-L6-v2": "model", '"triplets"': f'"{config}"'}
    exec(example("sentence_transformers", **names), scope)
    assert scope["trainer"].state.global_step == 1
    assert scope["trainer"].state.log_history[-1]["train_loss"] > 0


@pytest.mark.slow
def test_trl_fine_tunes_on_the_messages(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    save_tiny_chat_model(tmp_path / "model")
    from trl import SFTTrainer

    scope = {}
    exec(example("trl", **{"Qwen/Qwen3-0.6B": "model"}), scope)
    assert isinstance(scope["trainer"], SFTTrainer)
    assert scope["trainer"].state.global_step == 1
    assert scope["trainer"].state.log_history[-1]["train_loss"] > 0


def test_rows_without_source_licence_or_language_are_counted_as_unknown(tmp_path):
    """Another program may have written them; a push holds them back."""
    nothing = {"source": None, "license": None, "language": None}
    rows = {
        ("pairs", "train"): [pair("a"), pair("b") | nothing],
        ("dialogues", "train"): [dialogue("a"), dialogue("b") | nothing],
        ("downstream", "train"): [utterance("a"), utterance("b") | nothing],
    }
    folder = write_dataset(tmp_path / "data", rows)
    write_card(folder)
    card = (folder / "README.md").read_text()
    assert "| unknown |" in card
    assert "| None |" not in card
