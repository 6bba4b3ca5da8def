"""The config of the filters: presets, files, and errors that say what to do."""

import json

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.quality.config import PRESETS, QualityConfig
from dataset_builders.quality.filters import FILTERS
from dataset_builders.quality.filters.pair_length import PairLength


def load(tmp_path, text, name="quality.yaml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return QualityConfig.load(str(path))


def test_presets():
    none, default, strict = map(QualityConfig.preset, PRESETS)
    for name, check in FILTERS.items():
        assert default[name] == check()
        if check.defines_rows:
            assert none[name] == default[name] == strict[name]
        else:
            assert default[name].action == "flag"
            assert (none[name].action, strict[name].action) == ("off", "drop")
    assert QualityConfig.load("strict") == strict
    assert default.get(PairLength).min_words == 3


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_the_config_in_a_report_loads_again(tmp_path, name, suffix):
    config = QualityConfig.preset(name).with_min_words(1)
    assert load(tmp_path, json.dumps(config.as_dict(), indent="\t" if suffix == "json" else 1), f"q.{suffix}") == config


def test_file_overrides_its_preset(tmp_path):
    text = "preset: none\nmarkup: drop\npersonal_data: {action: mask}\nutterance_length: {action: flag, max_words: 9}\n"
    config = load(tmp_path, text)
    assert config.base == "none"
    assert config["markup"].action == "drop"
    assert config["personal_data"].action == "mask"
    assert (config["utterance_length"].action, config["utterance_length"].max_words) == ("flag", 9)
    assert config["utterance_length"].max_characters == 2000
    assert config["encoding"].action == "off"
    assert load(tmp_path, "") == QualityConfig.preset("default")


def test_yaml_reads_off_as_false(tmp_path):
    assert load(tmp_path, "markup: off\nencoding: {action: off}")["markup"].action == "off"


def test_min_words():
    config = QualityConfig.preset("default").with_min_words(0)
    assert config.get(PairLength).min_words == 0
    assert config.with_min_words(3) == QualityConfig.preset("default")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("marcup: drop", "unknown filter 'marcup'; expected preset or any of empty_dialogue, pair_length"),
        ("preset: hard", "preset: unknown preset 'hard'; expected none, default, strict"),
        ("preset: [default]", "preset: unknown preset ['default']"),
        ("markup: mask", "markup.action: expected off, flag, drop, found 'mask'"),
        ("markup: true", "markup.action: expected off, flag, drop, found True"),
        ("markup: [drop]", "markup.action: expected off, flag, drop, found ['drop']"),
        ("markup: {actoin: drop}", "markup.actoin: unknown setting; markup has action"),
        ("utterance_length: {max_words: many}", "max_words: expected a whole number of at least 1, found 'many'"),
        ("utterance_length: {max_words: 0}", "max_words: expected a whole number of at least 1, found 0"),
        ("utterance_length: {max_words: 1.5}", "max_words: expected a whole number of at least 1, found 1.5"),
        ("utterance_length: {max_words: yes}", "max_words: expected a whole number of at least 1, found True"),
        ("relatedness: {min_cosine: .nan}", "min_cosine: expected a number from -1 to 1, found nan"),
        ("relatedness: {min_cosine: 2}", "min_cosine: expected a number from -1 to 1, found 2"),
        ("- markup", "expected filters with their settings, found"),
        ("markup: {", "not YAML or JSON: "),
        ("1: drop", "unknown filter 1; "),
    ],
)
def test_bad_files(tmp_path, text, expected):
    with pytest.raises(DataError) as error:
        load(tmp_path, text)
    message = str(error.value)
    assert expected in message
    assert message.startswith(str(tmp_path / "quality.yaml"))
    assert "\n" not in message


def test_no_file(tmp_path):
    with pytest.raises(DataError, match="no quality preset or file deflaut; expected none, default, strict or a YAML"):
        QualityConfig.load("deflaut")
    with pytest.raises(DataError, match="cannot be read"):
        QualityConfig.load(str(tmp_path))
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"binary\.yaml: not UTF-8 text"):
        QualityConfig.load(str(tmp_path / "binary.yaml"))
    with pytest.raises(DataError, match="unknown quality preset 'hard'"):
        QualityConfig.preset("hard")
    (tmp_path / "deep.yaml").write_text("[" * 3000 + "]" * 3000)
    with pytest.raises(DataError, match=r"deep\.yaml: nested too deeply"):
        QualityConfig.load(str(tmp_path / "deep.yaml"))
