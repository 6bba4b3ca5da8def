"""The screen keeps or drops each row exactly once, in order, with the right reason."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from dataset_builders.pairs.consecutive import contexts_of, make_pairs
from dataset_builders.quality.config import PRESETS, QualityConfig
from dataset_builders.quality.drops import DROPS_SCHEMA, VALUE_LENGTH
from dataset_builders.quality.filters import FILTERS
from dataset_builders.quality.screen import screen
from dataset_builders.schema import ARROW_SCHEMAS, CONFIGS, SPLITS
from dataset_builders.text.normalize import text_ids
from support.quality_rows import dialogues, pairs, turn, utterances

IDS = {"dialogues": "dialogue_id", "pairs": "pair_id", "downstream": "utterance_id"}
LONG = "word " * 300
TALKS = [
    ["Where is the tea room?", "Beside the old bridge."],
    ["hi"],
    [],
    ["all I want.Thank you", "You are &amp; welcome"],
    ["write to jo@example.org", "I will do that."],
    [LONG, "That is a lot to read."],
    [turn("hello"), turn("nobody there?")],
    ["my card is 4111 1111 1111 1111 and this is a rather long text.Bye", "Fine.Thanks"],
]
MADE = {
    "dialogues": dialogues(*TALKS, flags=["seen"]),
    "pairs": pairs(
        ("Where is the tea room?", "Beside the old bridge."),
        ("yes", "all I want.Thank you"),
        ("all I want.Thank you", "You are welcome, my dear"),
        ("please write to jo@example.org", "I will do that."),
        (LONG, "That is a lot to read."),
        ("Nice to meet you, sir!", "nice to meet you sir"),
        flags=["seen"],
    ),
    "downstream": utterances("tea", "TEA!", "jo@example.org", "fine.Thanks", LONG, labels="abcde", flags=["seen"]),
}


class Unrelated:
    """Encoder for which all texts are unrelated."""

    def encode(self, texts):
        signs = {t: 1 if i % 2 else -1 for i, t in enumerate(sorted(texts))}
        return np.array([[signs[t]] for t in texts], np.float32)


POOL = [
    *("tea, please", "", "?", "all I want.Thank you so much", "Tea &amp; cake", "CafÃ© MÃ¼ller ist offen", LONG),
    *("I am jo@example.org", "call 0171 5550199 today", "May I have one more cup of tea?", "Beside the old bridge."),
    "Ich suche ein günstiges Restaurant im Norden der Stadt, bitte mit einer Terrasse.",
]


def random_rows(config, seed):
    """`MADE` and 60 rows with random texts from the pool."""
    rng = np.random.default_rng(seed)
    draw = [[POOL[i] for i in rng.integers(len(POOL), size=rng.integers(0, 6))] for _ in range(60)]
    if config == "dialogues":
        drawn = dialogues(*draw)
    elif config == "pairs":
        drawn = pairs(*((rng.choice(POOL[:8]), rng.choice(POOL)) for _ in draw))
    else:
        drawn = utterances(*(rng.choice(POOL) for _ in draw), labels=[str(i % 3) for i in range(60)])
    place = drawn.schema.get_field_index(IDS[config])
    ids = pa.array([f"drawn/{i}" for i in range(60)])
    return pa.concat_tables([MADE[config], drawn.set_column(place, drawn.schema.field(place), ids)])


@pytest.mark.parametrize("encoder", [None, Unrelated()], ids=["", "encoder"])
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("config", CONFIGS)
def test_every_row_is_kept_or_dropped(config, preset, split, encoder):
    rows, quality = random_rows(config, 7), QualityConfig.preset(preset)
    done = screen(config, rows, split, quality, encoder)
    assert done.rows.schema == rows.schema
    assert done.dropped.schema == DROPS_SCHEMA
    kept, dropped = done.rows[IDS[config]].to_pylist(), done.dropped["row_id"].to_pylist()
    position = {row_id: i for i, row_id in enumerate(rows[IDS[config]].to_pylist())}
    assert sorted([*kept, *dropped], key=position.get) == list(position)
    assert [position[i] for i in kept] == sorted(position[i] for i in kept)
    assert [position[i] for i in dropped] == sorted(position[i] for i in dropped)
    others = [name for name in rows.column_names if name not in ("flags", "quality")]
    assert done.rows.select(others) == rows.take([position[i] for i in kept]).select(others)

    assert set(done.dropped["config"].to_pylist()) <= {config}
    assert set(done.dropped["split"].to_pylist()) <= {split}
    by_judgement = [f for f in done.dropped["filter"].to_pylist() if not FILTERS[f].defines_rows]
    assert bool(by_judgement) == (preset == "strict" and split != "test")
    flags = Counter(flag for row in done.rows["flags"].to_pylist() for flag in row)
    assert bool(set(flags) - {"seen"}) == (preset == "default" or (preset == "strict" and split == "test"))
    again = screen(config, rows, split, quality, encoder)
    assert (again.rows, again.dropped) == (done.rows, done.dropped)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("preset", PRESETS)
def test_no_rows(config, preset):
    empty = ARROW_SCHEMAS[config].empty_table()
    done = screen(config, empty, "train", QualityConfig.preset(preset), Unrelated())
    assert done.rows == empty
    assert done.dropped == DROPS_SCHEMA.empty_table()


@pytest.mark.parametrize("config", CONFIGS)
def test_slices_and_chunks_give_the_same_rows(config):
    """Row numbers are right for slices and chunks too."""
    whole = screen(config, MADE[config], "train", QualityConfig.preset("strict"))
    parts = pa.concat_tables([MADE[config].slice(0, 2), MADE[config].slice(2)])
    assert screen(config, parts, "train", QualityConfig.preset("strict")).dropped == whole.dropped
    second = screen(config, MADE[config].slice(2), "train", QualityConfig.preset("strict"))
    assert second.dropped.to_pylist() == whole.dropped.to_pylist()[-len(second.dropped) :]


def test_new_flags_follow_existing_ones_without_duplicates():
    quality = QualityConfig.preset("default")
    once = screen("dialogues", MADE["dialogues"], "train", quality)
    assert once.rows["flags"].to_pylist() == [
        ["seen"],
        ["seen", "dialogue_length", "one_sided"],
        ["seen", "markup", "glued_sentences"],
        ["seen", "personal_data:email"],
        ["seen", "utterance_length"],
        ["seen", "one_sided"],
        ["seen", "glued_sentences", "personal_data:card"],
    ]
    assert screen("dialogues", once.rows, "train", quality).rows == once.rows
    assert once.dropped.to_pylist()[0]["filter"] == "empty_dialogue"


def test_the_first_filter_that_objects_drops():
    done = screen("dialogues", MADE["dialogues"], "train", QualityConfig.preset("strict"))
    assert dict(zip(done.dropped["row_id"].to_pylist(), done.dropped["filter"].to_pylist(), strict=True)) == {
        "shop/1": "dialogue_length",
        "shop/2": "empty_dialogue",
        "shop/3": "markup",
        "shop/4": "personal_data",
        "shop/5": "utterance_length",
        "shop/6": "one_sided",
        "shop/7": "glued_sentences",
    }


def test_a_drop_record_has_filter_reason_and_value():
    done = screen("pairs", MADE["pairs"], "validation", QualityConfig.preset("default"))
    assert done.dropped.to_pylist() == [
        {
            "config": "pairs",
            "row_id": "shop/1#0",
            "dialogue_id": "shop/1",
            "source": "shop",
            "split": "validation",
            "filter": "pair_length",
            "reason": "A side of the pair has too few words.",
            "value": "1 words: yes",
            "text": "yes -> all I want.Thank you",
            "license": "CC-BY-4.0",
            "redistributable": True,
        }
    ]


@pytest.mark.parametrize("config", CONFIGS)
def test_drop_records_are_short_and_hold_no_personal_data(config):
    done = screen(config, MADE[config], "train", QualityConfig.preset("strict"))
    assert len(done.dropped) > 2
    for record in done.dropped.to_pylist():
        assert len(record["text"]) <= VALUE_LENGTH
        assert len(record["value"]) <= VALUE_LENGTH
        assert "jo@example.org" not in str(record)
        assert "4111" not in str(record)
    if config == "downstream":
        assert done.dropped["dialogue_id"].null_count == len(done.dropped)


def test_drop_records_hold_no_part_of_an_address():
    text = f"{'x' * (VALUE_LENGTH - 8)} jo.doe@example.org.Thanks"
    for talk in ([text, "ok"], [text + " and now?Yes", "ok"]):
        (record,) = screen("dialogues", dialogues(talk), "train", QualityConfig.preset("strict")).dropped.to_pylist()
        assert "jo.do" not in str(record)


def masking(tmp_path):
    (tmp_path / "q.yaml").write_text("personal_data: mask")
    return QualityConfig.load(str(tmp_path / "q.yaml"))


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("config", CONFIGS)
def test_masks(tmp_path, config, split):
    done = screen(config, MADE[config], split, masking(tmp_path))
    text = str(done.rows.to_pylist())
    assert "jo@example.org" not in text
    assert "[EMAIL]" in text
    masked = [f for row in done.rows["flags"].to_pylist() for f in row if f.startswith("personal_data")]
    assert set(masked) <= {"personal_data:email:masked", "personal_data:card:masked"}
    assert done.rows.num_rows == screen(config, MADE[config], split, QualityConfig.preset("default")).rows.num_rows


def test_a_masked_pair_is_consistent(tmp_path):
    table = pairs(
        ("please write to jo@example.org", "that is jo@example.org you say"),
        context=[("user", "so jo@example.org it is"), ("system", "Their number is 01223 000111.")],
    )
    table = table.set_column(
        table.schema.get_field_index("positive_speaker"),
        table.schema.field("positive_speaker"),
        pa.array(["user"]),
    )
    (row,) = screen("pairs", table, "train", masking(tmp_path)).rows.to_pylist()
    assert row["anchor"] == "please write to [EMAIL]"
    assert row["positive"] == "that is [EMAIL] you say"
    assert [t["text"] for t in row["context"]] == ["so [EMAIL] it is", "Their number is 01223 000111."]
    assert [row["answer_id"]] == text_ids(pa.array([row["positive"]]))
    assert row["quality"]["score"] > 0


def test_min_words_zero_keeps_short_answers():
    kept = screen("pairs", MADE["pairs"], "train", QualityConfig.preset("none").with_min_words(0))
    assert len(kept.rows) == len(MADE["pairs"])
    assert kept.rows["quality"].null_count == 0


@pytest.mark.real_data
@pytest.mark.slow
def test_default_is_gentle_on_a_real_corpus(corpora, cache_dir):
    """A clean corpus loses no rows but empty ones and gets few flags; WOZ's German files do have English turns."""
    from dataset_builders.sources.registry import get_builder

    for name, config, flagged in (("camrest676", "default", {}), ("woz", "de", {"wrong_language": 1100})):
        builder = get_builder(name)(data_dir=corpora / name, config_name=config, cache_dir=cache_dir)
        builder.download_and_prepare()
        rows = builder.as_dataset("train").with_format("arrow")[:]
        done = screen("dialogues", rows.cast(ARROW_SCHEMAS["dialogues"]), "train", QualityConfig.preset("default"))
        assert set(done.dropped["filter"].to_pylist()) <= {"empty_dialogue"}
        counts = Counter(flag for row in done.rows["flags"].to_pylist() for flag in row)
        for flag, number in counts.items():
            if flag in flagged:
                assert number > 0.9 * len(done.rows)
            else:
                assert number < 0.02 * len(done.rows)
        assert set(flagged) <= set(counts)


def test_context_that_the_rows_do_not_have_yet_counts():
    number = "the number of the tea room is 01223 000111"
    talks = dialogues(
        [turn(f"I think that {number}.", "system"), turn(f"So {number}?"), turn("Yes, that is right, sir.", "system")],
        [turn(f"I think that {number}."), turn("Yes, that is right, sir.", "system"), turn(f"So {number}?")],
    )
    quality = QualityConfig.preset("default")
    whole = screen("pairs", make_pairs(talks), "train", quality)
    bare = make_pairs(talks, with_context=False)
    later = screen("pairs", bare, "train", quality, contexts=contexts_of(talks, 5))
    assert later.rows["flags"].equals(whole.rows["flags"])
    assert later.dropped.equals(whole.dropped)
    without = screen("pairs", bare, "train", quality)
    assert not without.rows["flags"].equals(whole.rows["flags"])
