"""Tricks that disguise restricted rows as own data: none of them publishes a word or an id of such a row.

Every trick edits a small dataset, after which the digests in the report are right, as if a build had made it.
"""

import copy
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset_builders.corpus.build import build_dataset
from dataset_builders.own_data import load, own_builders
from dataset_builders.schema import ARROW_SCHEMAS, CLUSTERS, DROPS
from hub.invented import dialogue, drop, pair, utterance, write_report
from push_scripts.dataset_folder import read_folder
from push_scripts.errors import PushError
from push_scripts.last_check import refuse_held_back
from push_scripts.push_dataset import push_dataset, stage_rows
from push_scripts.push_options import PushOptions

ASKED = "My xylograph at home has a broken handle again, could you please send somebody round?"
ANSWERED = "The xylograph engineer comes to your house on Tuesday between nine and eleven in the morning."
SECRETS = (b"xylograph", b"smd/")
TABLES = {"drops": DROPS, "clusters": CLUSTERS}
SHARED = {"license": "LicenseRef-unclear", "redistributable": False}
MINE = {"source": "mine", "license": "MIT", "redistributable": True}


def talk(name, *texts, source="mine", **facts):
    """A dialogue of alternating turns."""
    row = dialogue(name, source=source)
    turns = [{**copy.deepcopy(row["turns"][i % 2]), "text": text} for i, text in enumerate(texts)]
    messages = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]
    return row | {"turns": turns, "messages": messages, "message_count": len(turns)} | facts


def question(name, text, answer, source="mine", **facts):
    """A pair."""
    return pair(name, text, source, positive=answer) | facts


def member(name, cluster, **facts):
    return {"cluster_id": cluster, "dialogue_id": name, "source": name.partition("/")[0]} | facts


def restricted(**facts):
    """The rows of a restricted source."""
    return {
        "dialogues/train": [talk("7", ASKED, ANSWERED, source="smd", **SHARED) | facts],
        "pairs/train": [question("7", ASKED, ANSWERED, source="smd", **SHARED) | facts],
    }


def renamed(prefix, **facts):
    """The restricted rows as rows of another source, without the originals."""
    rows = restricted(**{**MINE, **facts})
    for row in (*rows["dialogues/train"], *rows["pairs/train"]):
        for key in ("dialogue_id", "pair_id"):
            if key in row:
                row[key] = row[key].replace("smd/", prefix)
    return rows


def beside(config, *rows, split="train", **tables):
    """The restricted rows, and others."""
    added = restricted()
    added.setdefault(f"{config}/{split}", []).extend(rows)
    return added | tables


def in_a_column(**facts):
    """The restricted rows, and an own pair and dialogue that quote them."""
    own = talk("9", "Is it open?", "Yes, until six.") | MINE
    return beside("dialogues", own | {key: value for key, value in facts.items() if key in own})


def in_a_pair(**facts):
    return beside("pairs", question("9", "Is it open?", "Yes, until six.") | MINE | facts)


def in_a_label(**facts):
    return beside("downstream", utterance("9", source="mine") | MINE | facts)


LOUD = [text.upper().replace(",", " -").replace(".", "!") for text in (ASKED, ANSWERED)]
SLOT = {"speaker": "user", "text": "Is it open?", "annotations": {"acts": [], "slots": [], "state": []}}

TRICKS = {
    # the facts of the row
    "licence": restricted(license="MIT"),
    "redistributable": restricted(redistributable=True),
    "licence and redistributable": restricted(license="MIT", redistributable=True),
    "the licence of another corpus": restricted(license="CC-BY-4.0", redistributable=True),
    "no source": restricted(license="MIT", redistributable=True, source=None),
    "empty source": renamed("smd/", source=""),
    "another source, the same ids": renamed("smd/"),
    "an open corpus, the same ids": renamed("smd/", source="multiwoz"),
    "upper case": renamed("SMD/", source="SMD"),
    "a blank": renamed("smd /", source="smd "),
    "a dash": renamed("s-m-d/", source="s-m-d"),
    "upper case, the same ids": renamed("smd/", source="SMD"),
    "ids of another own source": renamed("yours/"),
    "ids without a source": renamed(""),
    "no ids": {"dialogues/train": [talk("7", ASKED, ANSWERED) | MINE | {"dialogue_id": None}]},
    "a pair without a dialogue": {"pairs/train": [question("7", ASKED, ANSWERED) | MINE | {"dialogue_id": None}]},
    # copies of a dialogue
    "a copy in the same cluster": beside("dialogues", talk("1", "My xylograph broke.", cluster_id="smd/7")),
    "a copy in another cluster": beside("dialogues", talk("1", ASKED, ANSWERED)),
    "a copy in the list of clusters": beside(
        "dialogues", talk("1", "My xylograph broke."), clusters=[member("smd/7", "c"), member("mine/1", "c")]
    ),
    "a copy of a dropped dialogue": {
        "dialogues/train": [talk("1", ASKED, ANSWERED)],
        "clusters": [member("smd/9", "c"), member("mine/1", "c")],
    },
    "a copy of a dropped dialogue without a source": {
        "dialogues/train": [talk("1", ASKED, ANSWERED)],
        "clusters": [member("smd/9", "c", source=None), member("mine/1", "c")],
    },
    "a pair of a copy of a dropped dialogue": {
        "pairs/train": [question("1", ASKED, ANSWERED)],
        "clusters": [member("smd/9", "c"), member("mine/1", "c")],
    },
    "a copy in another split": beside("dialogues", talk("1", ASKED, ANSWERED), split="test"),
    "a copy without punctuation": beside("dialogues", talk("1", *LOUD)),
    "a copy with more turns": beside("dialogues", talk("1", "Hello!", "Good morning.", ASKED, ANSWERED, "Thanks.")),
    "the beginning of another dialogue": beside("dialogues", talk("1", ASKED, ANSWERED, *["Thanks."] * 9)),
    "a copy with all text in one turn": beside("dialogues", talk("1", f"{ASKED} {ANSWERED}")),
    "only a pair": beside("pairs", question("1", ASKED, ANSWERED)),
    "only a pair, in capitals": beside("pairs", question("1", *LOUD)),
    "a pair of the same intent": beside(
        "pairs", question("1", ASKED, ANSWERED) | {"dialogue_id": None, "pair_type": "same_intent"}
    ),
    "an intent": beside("downstream", utterance("1", f"{ASKED} {ANSWERED}", source="mine")),
    # quotations
    "negatives": in_a_pair(negatives=[ASKED, "No."]),
    "negative": in_a_pair(negatives=[ANSWERED], negative=ANSWERED),
    "context": in_a_pair(context=[{"speaker": "user", "text": ASKED}]),
    "answer id": in_a_pair(answer_id="smd/7"),
    "messages": in_a_column(messages=[{"role": "user", "content": ASKED}]),
    "scenario": in_a_column(scenario=ANSWERED),
    "domains": in_a_column(domains=[ASKED]),
    "flags": in_a_column(flags=[ASKED]),
    "original id": in_a_column(original_id="smd/7"),
    "original split": in_a_column(original_split=ASKED),
    "parallel id": in_a_column(parallel_id="smd/7"),
    "metadata": in_a_column(metadata=json.dumps({"reply_to": "smd/7"})),
    "metadata that quotes": in_a_column(metadata=ASKED),
    "cluster id": in_a_column(cluster_id="smd/7"),
    "speaker": in_a_column(turns=[SLOT | {"speaker_id": ASKED}]),
    "label": in_a_label(label="smd/7"),
    "labels": in_a_label(labels=[ASKED]),
    # notes and report
    "text of a drop": beside("dialogues", talk("1", "Hello!"), drops=[drop("1", ASKED, source="mine")]),
    "value of a drop": beside("dialogues", talk("1", "Hello!"), drops=[drop("1", source="mine", value="smd/7")]),
    "reason of a drop": beside("dialogues", talk("1", "Hello!"), drops=[drop("1", source="mine", reason=ANSWERED)]),
    "dialogue of a drop": beside(
        "dialogues", talk("1", "Hello!"), drops=[drop("1", source="mine", dialogue_id="smd/7", text=ASKED)]
    ),
    "nearest dialogue": beside(
        "dialogues", talk("1", "Hello!"), clusters=[member("mine/1", "c", nearest_id="smd/7"), member("mine/2", "c")]
    ),
    "an open licence in the report": restricted(license="MIT", redistributable=True)
    | {"report": {"sources": {"smd": {"license": "MIT", "redistributable": True}}}},
    "no facts in the report": restricted(license="MIT", redistributable=True) | {"report": {"sources": {"smd": None}}},
    "no source in the report": restricted() | {"report": {"sources": None, "rows": None}},
    "sources that are a list": restricted() | {"report": {"sources": ["smd"]}},
    "an example in the report": in_a_pair() | {"report": {"examples": [ASKED]}},
    "own data that is private in the report": renamed("mine/")
    | {"report": {"sources": {"mine": {"license": "LicenseRef-private", "redistributable": False}}}},
}


def write_folder(folder, tables):
    """Write rows, notes and report with right digests, beside an open dialogue."""
    tables = {**tables, "dialogues/train": [dialogue("open"), *tables.get("dialogues/train", [])]}
    (folder / "quality").mkdir(parents=True)
    for name, rows in tables.items():
        if name == "report":
            continue
        config = name.partition("/")[0]
        schema = (ARROW_SCHEMAS | {key: features.arrow_schema for key, features in TABLES.items()})[config]
        path = folder / (f"quality/{name}.parquet" if name in TABLES else f"{name}-00000-of-00001.parquet")
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, schema), path)
    write_report(folder)
    report = folder / "quality/report.json"
    report.write_text(json.dumps(json.loads(report.read_text()) | tables.get("report", {})))
    return folder


def published(folder, work):
    """What a push would upload, without the card, which is made of these files."""
    built = read_folder(folder)
    gate = stage_rows(built, work / "built", work / "staged")
    files = {str(path.relative_to(work / "staged")): path for path in (work / "staged").rglob("*") if path.is_file()}
    refuse_held_back(files | {"quality/report.json": folder / "quality/report.json"}, gate.held_back)
    return "\n".join(str(pq.read_table(path).to_pylist()) for path in files.values()).lower().encode()


@pytest.mark.parametrize("tables", TRICKS.values(), ids=TRICKS)
def test_a_trick_publishes_nothing(tmp_path, tables):
    folder = write_folder(tmp_path / "data", tables)
    try:
        content = published(folder, tmp_path)
    except PushError:  # of everything
        return
    assert b"tiny/open" in content
    assert not [secret for secret in SECRETS if secret in content]


def test_there_are_fifty_tricks_and_their_rows_would_be_published_otherwise(tmp_path):
    assert len(TRICKS) >= 50
    own = [talk("1", "Is it open?", "Yes, until six."), talk("2", "Hello!", "Good morning.")]
    content = published(write_folder(tmp_path / "data", beside("dialogues", *own)), tmp_path)
    assert all(name in content for name in (b"tiny/open", b"mine/1", b"mine/2"))


REMAINING = {
    "own data in a build without the source": renamed("mine/"),
    "another source, ids that contain the old ones": renamed("mine/smd/"),
    "an open corpus, its ids": renamed("multiwoz/", source="multiwoz"),
    "other words": beside("dialogues", talk("1", "The handle of my xylograph is off.", "We come on Tuesday.")),
    "one short turn": beside("dialogues", talk("1", ASKED, "What a pity.")),
    "a source in similar letters": renamed("ѕmd/", source="ѕmd"),  # Cyrillic
}


@pytest.mark.parametrize("tables", REMAINING.values(), ids=REMAINING)
def test_what_the_gate_cannot_notice(tmp_path, tables):
    """As its documentation says; if one of these fails, the documentation has become too modest."""
    assert b"xylograph" in published(write_folder(tmp_path / "data", tables), tmp_path)


def test_a_build_knows_own_data_that_repeat_a_restricted_source(tmp_path, cache_dir, capsys):
    """It warns, its card says so, and a push publishes only what is not repeated, whatever licence the user named."""

    def texts(number):
        return [f"{ASKED} It is number {number}.", f"{ANSWERED} Your number is {number}."]

    raw = tmp_path / "raw" / "smd"
    raw.mkdir(parents=True)
    for split, count in (("train", 12), ("dev", 2), ("test", 2)):
        records = [
            {
                "dialogue": [
                    {"turn": ("driver", "assistant")[i % 2], "data": {"utterance": text}}
                    for i, text in enumerate(texts(f"{split} {number}"))
                ],
                "scenario": {"task": {"intent": "weather"}, "uuid": f"{split}-{number}"},
            }
            for number in range(count)
        ]
        (raw / f"kvret_{split}_public.json").write_text(json.dumps(records), encoding="utf-8")
    own = [texts(f"train {number}") for number in range(12)]
    own += [["When does the museum open on Sunday?", "At ten, and it closes at five in the afternoon."]]
    lines = [
        json.dumps(
            {"messages": [{"role": role, "content": t} for role, t in zip(("user", "assistant"), row, strict=True)]}
        )
        for row in own
    ]
    (tmp_path / "mine.jsonl").write_text("\n".join(lines), encoding="utf-8")
    mine = own_builders(load(tmp_path / "mine.jsonl", "mine"), license="MIT", cache_dir=cache_dir)
    warnings = []
    build_dataset(["smd"], tmp_path / "raw", tmp_path / "out", own=mine, cache_dir=cache_dir, warn=warnings.append)
    report = json.loads((tmp_path / "out/quality/report.json").read_text())
    repeated = report["duplicates"]["dialogues"]["mine|smd"]
    assert repeated >= 12
    (warning,) = (line for line in warnings if line.startswith("mine:"))
    assert f"{repeated} of its dialogues repeat smd, which must not be passed on; `dialogue-cube push` will" in warning
    card = (tmp_path / "out/README.md").read_text()
    assert f"{repeated} dialogues of `mine` are in `smd`, too" in card
    pushed = push_dataset(tmp_path / "out", "org/name", PushOptions(dry_run=True))
    assert pushed.gate.passed["dialogues", "mine", "MIT"] == 1
    assert pushed.gate.copies["mine"] >= 12
    assert "xylograph" not in pushed.card
