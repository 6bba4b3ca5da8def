"""Each kind of positives, from files."""

import numpy as np
import pytest

from cube_model.embedder.config import EmbedderConfig
from cube_model.embedder.data import load_embedder_data
from cube_model.embedder.positives.same_label import same_label_pairs
from cube_model.errors import ModelError
from support.annotated_dialogues import dialogues, utterances, write_annotated


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_annotated(tmp_path_factory.mktemp("kinds") / "corpus")


def load(data, **options):
    return load_embedder_data(EmbedderConfig(data=str(data), output="out", **{"batch_size": 4, **options}), "|")


def test_partners_share_a_label_and_differ_in_text():
    rng = np.random.default_rng(0)
    labels = [f"label {n}" for n in rng.integers(8, size=200)]
    texts = [f"text {n}" for n in rng.integers(60, size=200)]
    anchors, positives = same_label_pairs(texts, labels, seed=1)
    assert all(labels[a] == labels[p] and texts[a] != texts[p] for a, p in zip(anchors, positives, strict=True))
    distinct = {(labels[i], texts[i]) for i in range(200)}
    assert len(anchors) == len(distinct)  # each label has several texts
    assert {(labels[i], texts[i]) for i in anchors} == distinct == {(labels[i], texts[i]) for i in positives}


def test_a_label_with_one_text_gives_no_pair():
    assert same_label_pairs(["a", "a", "b", "c"], ["x", "x", "y", "y"], seed=0)[0].tolist() in ([2, 3], [3, 2])


def test_same_action_pairs_speaker_acts_and_slots(data):
    loaded = load(data, max_pairs=0, same_action=1000, languages=["en"])
    labels = {loaded.label_texts[i] for i in loaded.labels}
    assert labels == {
        "system greet",
        "user inform area, food",
        "system offer name",
        "user affirm thank",
        "user request bus line, to",
        "system inform bus line",
    }
    by_text = dict(zip(loaded.anchors, loaded.labels, strict=True))
    assert all(by_text[p] == label for p, label in zip(loaded.positives, loaded.labels, strict=True))
    assert loaded.kinds == {"same_action": len(loaded)}


def test_turns_of_both_speakers_may_have_the_same_action(tmp_path):
    rows = [row for row in dialogues() if row["source"] == "inns" and row["language"] == "en"]
    for row in rows[::2]:
        row["turns"][0]["speaker"] = "user"
    data = write_annotated(tmp_path / "corpus", dialogues=rows)
    apart = load(data, max_pairs=0, same_action=1000)
    together = load(data, max_pairs=0, same_action=1000, any_speaker=True)
    assert {"user greet", "system greet"} < set(apart.label_texts)
    assert set(together.label_texts) == {"greet", "inform area, food", "offer name", "affirm thank"}


def test_same_intent_leaves_out_leaks_scope_and_sources(data):
    loaded = load(data, max_pairs=0, same_intent=1000)
    assert set(loaded.label_texts) == {"lamp on", "lamp off", "card lost"}
    assert not {"a leak of the test", "sing a song"} & {*loaded.anchors, *loaded.positives}
    assert loaded.left_out == 1
    assert load(data, max_pairs=0, same_intent=1000, leave_out=["bank"]).sources == ["home"]
    with pytest.raises(ModelError, match="no source banks to leave out; choose from bank, buses, home, inns"):
        load(data, max_pairs=0, same_intent=1000, leave_out=["banks"])
    assert load(data, max_pairs=0, same_intent=1000, languages=["de"]).languages == ["de"]


def test_templates_replace_values_by_names(data):
    loaded = load(data, max_pairs=0, templates=1000, sources=["inns"])
    assert dict(zip(loaded.anchors, loaded.positives, strict=True))["I want soup near the harbour"] == (
        "I want soup near the [area]"
    )
    assert loaded.labels.tolist() == [-1] * len(loaded)


def test_translations_share_a_parallel_id_and_no_language(data):
    loaded = load(data, max_pairs=0, translations=1000)
    both = dict(zip(loaded.anchors, loaded.positives, strict=True))
    assert both["light in the castle on"] == "Licht im castle an"
    assert both["Licht im castle an"] == "light in the castle on"
    assert len(both) == 12


def test_kinds_are_capped_and_share_no_batch(data):
    loaded = load(data, max_pairs=10, same_intent=8, same_action=12, temperature=5.0)
    assert loaded.kinds == {"next_turn": 10, "same_intent": 8, "same_action": 12}
    assert [len(set(loaded.groups[rows])) for rows in (slice(0, 10), slice(10, 18), slice(18, 30))] == [1, 1, 1]
    assert len(set(loaded.groups.tolist())) == 3
    assert loaded.fingerprint != load(data, max_pairs=10, same_intent=8, same_action=12).fingerprint


def test_negatives_of_one_domain_come_from_batches_of_it(data):
    loaded = load(data, negatives="source", batch_size=2)
    group_of = dict(zip(loaded.anchors, loaded.groups, strict=True))
    assert group_of["I want soup near the harbour"] != group_of["Which bus goes to the castle?"]
    assert len(set(load(data, batch_size=2).groups.tolist())) == 1


def test_context_of_any_length(data):
    full = load(data, context_turns=2, sources=["inns"], languages=["en"])
    varied = load(data, context_turns=2, vary_context=True, sources=["inns"], languages=["en"])
    turns = [anchor.count("|") for anchor in varied.anchors]
    assert set(turns) == {0, 1}
    assert all(anchor in whole for anchor, whole in zip(varied.anchors, full.anchors, strict=True))
    assert min(anchor.count("|") for anchor in full.anchors) == 1


def test_texts_of_a_benchmark_are_kept_out_in_any_spelling(data, tmp_path):
    (tmp_path / "set.json").write_text(
        '{"log": [{"text": "which bus goes to the CASTLE"}, {"text": "line 3 goes there!"}]}'
    )
    whole = load(data, sources=["buses"])
    clean = load(data, sources=["buses"], decontaminate=[str(tmp_path / "set.json")])
    assert (len(whole), len(clean), clean.decontaminated) == (6, 4, 2)
    assert clean.fingerprint != whole.fingerprint
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(ModelError, match=r"empty.txt: no text in it"):
        load(data, decontaminate=[str(tmp_path / "empty.txt")])
    (tmp_path / "half.json").write_text('{"log": [')
    with pytest.raises(ModelError, match=r"half.json: cannot read the texts of a benchmark"):
        load(data, decontaminate=[str(tmp_path / "half.json")])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"same_action": 9}, "no turn with acts or slots in split train; leave out --same-action"),
        ({"templates": 9}, "no turn with the places of its slots in split train; leave out --templates"),
        ({"translations": 9}, "no sentence in two languages in split train; leave out --translations"),
    ],
)
def test_a_kind_that_the_data_lack_is_named(options, words, tmp_path):
    plain = dialogues()[:4]
    for row in plain:
        for turn in row["turns"]:
            turn["annotations"] = {"acts": [], "slots": [], "state": []}
    one = [row for row in utterances() if row["language"] == "en"]
    data = write_annotated(tmp_path / "corpus", dialogues=plain, downstream=one)
    with pytest.raises(ModelError, match=words):
        load(data, max_pairs=0, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_pairs": 0}, "max_pairs is 0: set one of same_intent, same_action, templates, translations"),
        ({"hard_negatives": 1, "same_intent": 5}, "hard_negatives are mined for pairs of a turn and the next"),
        ({"vary_context": True}, "vary_context needs earlier turns"),
        ({"mini_batch_size": 2, "label_smoothing": 0.1}, "mini_batch_size 2 computes a batch in parts"),
        ({"any_speaker": True}, "any_speaker is about turns with the same action"),
        ({"streaming": True, "same_action": 5}, "same_action 5 needs all pairs at once"),
    ],
)
def test_options_that_exclude_each_other(options, words):
    with pytest.raises(ModelError, match=words):
        EmbedderConfig(data="data", output="out", **{"batch_size": 4, **options})
