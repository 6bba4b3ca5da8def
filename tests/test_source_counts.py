"""Every source reaches the counts that were taken from its real files."""

import json

import pyarrow.compute as pc
import pytest

from dataset_builders.registry import builders
from dataset_builders.schema import ALL

pytestmark = pytest.mark.real_data

# (source, config of our builder) -> variant in counts.json, with our name of a split where the variant says "all"
VARIANTS = {
    ("camrest676", "default"): "sequicity",
    ("multiwoz", "2.2"): "2.2_rebuilt",
    ("multiwoz", "2.1"): "2.1_convlab2",
    ("sgd", "default"): "all_files",
    ("woz", "en"): "en",
    ("woz", "de"): "de",
    ("woz", "it"): "it",
    ("banking77", "default"): "csv",
    ("clinc150", "full"): "data_full",
    ("clinc150", "small"): "data_small",
    ("clinc150", "imbalanced"): "data_imbalanced",
    ("clinc150", "plus"): "data_oos_plus",
}


def found_counts(builder) -> dict[str, dict[str, int]]:
    """Counted from the rows alone."""
    tables = [d.with_format("arrow")[:] for d in builder.as_dataset().values()]
    counts: dict[str, dict[str, int]] = {}
    for table in tables:
        for split in table["original_split"].unique().to_pylist():
            rows = table.filter(pc.equal(table["original_split"], split))
            if builder.INFO.kind == "downstream":
                labels = len(rows["label"].unique())
                counts[split] = {"rows": len(rows), "labels": labels, "empty": 0}
                continue
            turns = [turn for row in rows["turns"].to_pylist() for turn in row]
            assert all(turn["text"] == turn["text"].strip() != "" for turn in turns)
            user = sum(turn["speaker"] == "user" for turn in turns)
            counts[split] = {
                "dialogues": len(rows),
                "utterances": len(turns),
                "user": user,
                "system": len(turns) - user,
                "empty": sum(rows["empty_turns"].to_pylist()),
            }
    return counts


@pytest.mark.slow
@pytest.mark.parametrize(("name", "config"), VARIANTS, ids=":".join)
def test_counts(corpora, cache_dir, name, config):
    builder = builders()[name](data_dir=corpora / name, config_name=config, cache_dir=cache_dir)
    builder.download_and_prepare(num_proc=2)
    expected = json.loads((corpora / "counts.json").read_text())[name][VARIANTS[name, config]]
    assert found_counts(builder) == {ALL if split == "all" else split: n for split, n in expected.items()}


def test_every_config_is_counted():
    """A new source or config cannot pass by being left out here; `woz:all` is the sum of its languages."""
    configs = {(name, config) for name, cls in builders().items() for config in cls.INFO.configs}
    assert configs - {("woz", "all")} == set(VARIANTS)
