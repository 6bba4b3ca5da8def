"""Every source has the counts that were taken from its real files, independently of its parser."""

import fnmatch
import json
from collections import Counter

import pyarrow.compute as pc
import pytest

from dataset_builders.sources.registry import builders
from support.source_counts import COUNTED

pytestmark = pytest.mark.real_data

SAMPLES = "samples/{}_examples.json"
TM = {"tm1": "TM-1-2019/self-dialogs.json", "tm2": "TM-2-2020/data/hotels.json", "tm3": "TM-3-2020/data/data_00.json"}
MINDS14 = ("de-DE", "en-US", "fr-FR", "ru-RU", "zh-CN")

# source, config, variants of counts.json, and for some a new layout of the raw folder: new path -> path in the corpora
CASES = [
    ("camrest676", "default", ["sequicity"], None),
    ("camrest676", "default", ["nndial"], {"CamRest676.json": "nndial/CamRest676.json"}),
    ("multiwoz", "2.2", ["2.2_rebuilt"], None),
    ("multiwoz", "2.1", ["2.1_convlab2"], None),
    ("multiwoz", "2.2", ["samples_2.2"], {"MultiWOZ_2.2/train/dialogues_001.json": SAMPLES.format("MultiWOZ_2.2")}),
    (
        "multiwoz",
        "2.1",
        ["samples_2.1"],
        {
            "MultiWOZ_2.1/data.json": SAMPLES.format("MultiWOZ_2.1"),
            "MultiWOZ_2.1/valListFile": "MultiWOZ_2.1_convlab2/valListFile",
            "MultiWOZ_2.1/testListFile": "MultiWOZ_2.1_convlab2/testListFile",
        },
    ),
    ("sgd", "default", ["all_files"], None),
    ("sgd", "default", ["plain_files"], {"train": "train", "dev": "dev", "test": "test"}),
    ("woz", "en", ["en"], None),
    ("woz", "de", ["de"], None),
    ("woz", "it", ["it"], None),
    ("woz", "all", ["en", "de", "it"], None),
    ("smd", "default", ["original", "rebuilt"], None),
    ("taskmaster", "tm4", ["TM-4"], None),
    *(("taskmaster", tm, [f"samples_TM-{tm[-1]}"], {TM[tm]: SAMPLES.format(f"TM-{tm[-1]}")}) for tm in TM),
    ("banking77", "default", ["csv"], None),
    ("clinc150", "full", ["data_full"], None),
    ("clinc150", "small", ["data_small"], None),
    ("clinc150", "imbalanced", ["data_imbalanced"], None),
    ("clinc150", "plus", ["data_oos_plus"], None),
    ("massive", "1.0", ["rebuilt_en-US"], None),
    *(("minds14", "default", [locale], {f"{locale}.csv": f"text/{locale}.csv"}) for locale in MINDS14),
    ("snips", "full", ["custom_intent_engines"], None),
    ("snips", "small", ["custom_intent_engines"], None),
]

# no real files are available, or (snips:usual) the counts have the sum of two splits
NOT_COUNTED = {
    ("abcd", "default"),
    ("frames", "default"),
    ("metalwoz", "default"),
    ("msre2e", "default"),
    ("taskmaster", "all"),
    ("massive", "1.1"),
    ("snips", "usual"),
}


def actual_counts(builder) -> tuple[dict[str, Counter], dict[str, float]]:
    """Counts of the rows by the source's own split, and the share of rows or turns with each kind of annotation."""
    counts: dict[str, Counter] = {}
    annotated: Counter[str] = Counter()
    for dataset in builder.as_dataset().values():
        table = dataset.data.table.combine_chunks()
        for split in table["original_split"].unique().to_pylist():
            rows = table.filter(pc.equal(table["original_split"], split))
            count = counts.setdefault(split, Counter())
            if builder.INFO.kind == "downstream":
                count.update(rows=len(rows))
                count["labels"] = len(rows["label"].unique())  # a split is in one dataset
                continue
            turns = pc.list_flatten(rows["turns"])
            text, annotations = pc.struct_field(turns, "text"), pc.struct_field(turns, "annotations")
            assert pc.all(pc.equal(text, pc.utf8_trim_whitespace(text))).as_py()
            assert pc.min(pc.utf8_length(text)).as_py() > 0
            count.update(
                {s["values"]: s["counts"] for s in pc.struct_field(turns, "speaker").value_counts().to_pylist()}
            )
            count.update(dialogues=len(rows), utterances=len(turns), empty=pc.sum(rows["empty_turns"]).as_py())
            lists = {kind: pc.struct_field(annotations, kind) for kind in ("acts", "slots", "state")}
            lists["domains"] = rows["domains"]
            for kind, entries in lists.items():
                annotated[kind] += pc.sum(pc.greater(pc.list_value_length(entries), 0)).as_py()
    total = sum(counts.values(), Counter())
    units = {"acts": "utterances", "slots": "utterances", "state": "utterances", "domains": "dialogues"}
    return counts, {kind: number / total[units[kind]] for kind, number in annotated.items() if number}


def unmapped_words(builder) -> set[tuple[str, str]]:
    """Acts, domains and slots of the rows without a word that all sources share."""
    if builder.INFO.kind == "downstream":
        return set()
    words = set()
    for dataset in builder.as_dataset().values():
        table = dataset.data.table.combine_chunks()
        domains = pc.list_flatten(table["domains"]).unique().to_pylist()
        words |= {("domain", word) for word in domains if word not in builder.terms.common["domain"]}
        annotations = pc.struct_field(pc.list_flatten(table["turns"]), "annotations")
        for kind in ("acts", "slots", "state"):
            entries = pc.list_flatten(pc.struct_field(annotations, kind))
            names = {field.name for field in entries.type}
            for name in names & {"act", "domain", "slot"}:
                is_unmapped = pc.is_null(pc.struct_field(entries, f"common_{name}"))
                own = pc.filter(pc.struct_field(entries, name), is_unmapped)
                words |= {(name, word) for word in own.drop_null().unique().to_pylist()}
    return words


def expected_counts(corpora, name, config, variants) -> dict[str, Counter]:
    """Sums of the figures in counts.json over some variants."""
    counts: dict[str, Counter] = {}
    for variant in variants:
        for split, figures in json.loads((corpora / "counts.json").read_text())[name][variant].items():
            counts.setdefault(split, Counter()).update(figures)
            for other in ("scenarios", "files"):
                del counts[split][other]
    if name == "snips":  # one variant holds both training sets
        train = counts.pop("train_full") if config == "full" else counts["train"]
        counts["train"] = train
        counts.pop("train_full", None)
    return counts


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "config", "variants", "layout"), CASES, ids=[f"{name}:{'+'.join(v)}:{c}" for name, c, v, _ in CASES]
)
def test_counts(corpora, cache_dir, tmp_path, name, config, variants, layout):
    raw = corpora / name
    if layout:
        for path, original in layout.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).symlink_to(raw / original)
        raw = tmp_path
    builder = builders()[name](data_dir=raw, config_name=config, cache_dir=cache_dir)
    builder.download_and_prepare(num_proc=2)
    actual, coverage = actual_counts(builder)
    assert not unmapped_words(builder)
    if layout is None:
        assert coverage == pytest.approx(builder.INFO.coverage.get(config, {}), abs=0.0005)
    expected = expected_counts(corpora, name, config, variants)
    if set(expected) == {"all"}:  # a few files of a release, whose splits do not matter
        actual = {"all": sum(actual.values(), Counter())}
    assert {s: +c for s, c in actual.items()} == {s: +c for s, c in expected.items()}


def expected_more(corpora, name, splits) -> dict[str, dict[str, int]]:
    """Sums of the figures in counts_more.json over the variants and splits that `splits` names, by our split."""
    more = json.loads((corpora / "counts_more.json").read_text())
    variants = {**more["dialogues"], **more["intents"]}.get(name, {})
    expected = {}
    for ours, places in splits.items():
        if isinstance(places, dict):
            expected[ours] = places
            continue
        figures = [
            counts
            for variant, by_split in variants.items()
            for split, counts in by_split.items()
            if any(fnmatch.fnmatch(f"{variant}|{split}", place) for place in places)
        ]
        assert figures, (ours, places)
        units = ("rows",) if "rows" in figures[0] else ("dialogues", "utterances")
        expected[ours] = {unit: sum(each[unit] for each in figures) for unit in units}
    return expected


@pytest.mark.slow
@pytest.mark.parametrize(("name", "config"), COUNTED, ids=[f"{name}:{config}" for name, config in COUNTED])
def test_further_counts(corpora, cache_dir, name, config):
    builder = builders()[name](data_dir=corpora / name, config_name=config, cache_dir=cache_dir)
    builder.download_and_prepare()
    actual, coverage = actual_counts(builder)
    expected = expected_more(corpora, name, COUNTED[name, config])
    assert {split: {unit: actual[split][unit] for unit in units} for split, units in expected.items()} == expected
    assert set(actual) == set(expected)
    assert not unmapped_words(builder)
    assert coverage == pytest.approx(builder.INFO.coverage.get(config, {}), abs=0.0005)


def test_every_config_is_counted():
    """A new source or config must be added here."""
    configs = {(name, config) for name, cls in builders().items() for config in cls.INFO.configs}
    assert configs == {case[:2] for case in CASES} | NOT_COUNTED | set(COUNTED)
