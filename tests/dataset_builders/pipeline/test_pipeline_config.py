"""The pipeline's config: it is read as it was written, and errors name the file and the key."""

import re
from dataclasses import fields, is_dataclass
from typing import get_args

import pytest
import typer
import yaml

from dataset_builders.common.errors import DataError
from dataset_builders.common.options import effective, field_types
from dataset_builders.pipeline.config import (
    EvaluateSettings,
    PipelineConfig,
    command_section,
    example,
)

TrainSettings = command_section("train")
ResponseSelectionSettings = command_section("evaluate.response_selection")
IntentsSettings = command_section("evaluate.intents")
LeaderboardSettings = command_section("evaluate.leaderboard")
PushTarget = command_section("push")


def load(tmp_path, text):
    (tmp_path / "pipeline.yaml").write_text(text)
    return PipelineConfig.load(tmp_path / "pipeline.yaml")


def keys(kind, prefix=""):
    """All keys of a config, including those of its sections."""
    for name, hint in field_types(kind).items():
        yield f"{prefix}{name}"
        for choice in (hint, *get_args(hint)):
            if is_dataclass(choice):
                yield from keys(choice, f"{prefix}{name}.")


def without_comment_signs(text):
    """The example with its optional sections uncommented."""
    lines = []
    for line in text.splitlines():
        optional = re.match(r"  # ( *[a-z_]+:.*)", line)
        if optional:
            lines.append(f"  {optional[1]}")
        elif line.startswith("  #"):
            continue  # the continuation of a comment
        elif re.match(r"(own|train|evaluate|push): null", line):
            lines.append(line.split(":")[0] + ":")
        else:
            lines.append(line)
    return "\n".join(lines)


def test_the_example_holds_the_defaults(tmp_path):
    assert load(tmp_path, example()) == PipelineConfig()


def test_the_example_names_every_key_and_no_other(tmp_path):
    text = without_comment_signs(example())
    config = load(tmp_path, text)
    sections = {
        TrainSettings: config.train,
        ResponseSelectionSettings: config.evaluate.response_selection,
        IntentsSettings: config.evaluate.intents,
        LeaderboardSettings: config.evaluate.leaderboard,
    }
    for kind, section in sections.items():
        for f in fields(kind):
            assert getattr(section, f.name) == effective(kind(), f.name), f.name
    assert config.evaluate.encoder == "minilm"
    for section in (config.push.dataset, config.push.model):
        assert {f.name: getattr(section, f.name) for f in fields(PushTarget)} == {
            f.name: "org/name" if f.name == "repo" else effective(PushTarget("org/name"), f.name)
            for f in fields(PushTarget)
        }

    def shown(content, prefix=""):
        for name, value in content.items():
            yield f"{prefix}{name}"
            if isinstance(value, dict):
                yield from shown(value, f"{prefix}{name}.")

    assert set(shown(yaml.safe_load(text))) == set(keys(PipelineConfig))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sede: 1", "sede: no such key; expected raw_dir, out, num_proc"),
        ("dataset: {sed: 1}", "dataset.sed: no such key; did you mean seed? it has seed, split_policy"),
        ("dataset: {seed: x}", "dataset.seed: expected a whole number, found 'x'"),
        ("dataset: {seed: true}", "dataset.seed: expected a whole number, found True"),
        ("dataset: 3", "dataset: expected a mapping of seed, split_policy"),
        ("dataset: {split_policy: random}", "expected one of leak-free, official, original, found 'random'"),
        ("dataset: {quality: [strict]}", "dataset.quality: expected text or a mapping, found ['strict']"),
        ("dataset: {context_turns: -1}", "dataset.context_turns: expected a whole number of at least 0, found -1"),
        ("splits: [dev]", "splits: expected some of train, validation, test, found ['dev']"),
        ("keep_going: maybe", "keep_going: expected true or false, found 'maybe'"),
        ("own: {name: mine}", "own: path is missing; expected a path"),
        ("own: {path: x, max_bad_share: 2}", "own.max_bad_share: expected a number from 0 to 1, found 2"),
        ("train: 3", "train: expected true, false or a mapping of processes, teacher"),
        ("train: {learning_rate: fast}", "train.learning_rate: expected a number above 0, found 'fast'"),
        (
            "evaluate: {leaderboard: {train_sizes: [ten]}}",
            "expected a list of a whole number of at least 2 or one of all",
        ),
        ("push: {dataset: {private: true}}", "push.dataset: repo is missing"),
        ("push: {dataset: org/corpus}", "push.dataset: expected true, false or a mapping of repo"),
        ("- woz", "expected keys with their settings, found"),
        ("a: {", "not YAML or JSON"),
    ],
)
def test_errors_name_file_and_key(tmp_path, text, expected):
    with pytest.raises(DataError) as error:
        load(tmp_path, text)
    assert str(error.value).startswith(str(tmp_path / "pipeline.yaml"))
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["token: hf_x", "push: {dataset: {repo: a/b, token: hf_x}}", "push: {hf_token: hf_x}"])
def test_a_token_is_refused_and_not_repeated(tmp_path, text):
    with pytest.raises(DataError, match="use `hf auth login` or HF_TOKEN") as error:
        load(tmp_path, text)
    assert "hf_x" not in str(error.value)


def test_paths_start_at_the_file(tmp_path):
    config = load(tmp_path, "raw_dir: raw\nout: /tmp/out\nown: {path: a.csv}\ndataset: {quality: filters.yaml}")
    assert (config.raw_dir, str(config.out)) == (tmp_path / "raw", "/tmp/out")
    assert config.own.path == (tmp_path / "a.csv",)
    assert config.dataset.quality == str(tmp_path / "filters.yaml")
    assert load(tmp_path, "dataset: {quality: strict}").dataset.quality == "strict"


def test_a_written_config_reads_back_equal(tmp_path):
    config = PipelineConfig(
        sources=("sgd", "woz:en"),
        languages=("ru",),
        splits=("test",),
        train=TrainSettings(epochs=3, map_answers=False),
        evaluate=EvaluateSettings(intents=IntentsSettings()),
    )
    assert load(tmp_path, config.to_yaml()) == config
    assert list(yaml.safe_load(config.to_yaml())) == ["languages", "splits", "sources", "train", "evaluate"]


def test_an_earlier_name_of_a_key_works(tmp_path):
    assert load(tmp_path, "evaluate: {intents: {language: [en], protocol: [knn]}}").evaluate.intents == IntentsSettings(
        languages=["en"], protocols=["knn"]
    )


def test_sections_can_be_switched(tmp_path):
    assert load(tmp_path, "train: true").train == TrainSettings()
    assert load(tmp_path, "train: false").train is None
    config = load(tmp_path, "train: {epochs: 2}").with_values(["train.seed=3", "evaluate.intents=true", "database=off"])
    assert config.train == TrainSettings(epochs=2, seed=3)
    assert config.evaluate == EvaluateSettings(intents=IntentsSettings())
    assert config.database is False
    assert config.with_values(["train=false"]).train is None


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("train.epochs", "--set train.epochs: expected KEY=VALUE"),
        ("train.epoch=3", "--set: train.epoch: no such key; did you mean epochs?"),
        ("train.epochs=many", "--set: train.epochs: expected a whole number of at least 1, found 'many'"),
        ("train.epochs=[", "--set train.epochs=[: the value is not YAML"),
    ],
)
def test_a_wrong_assignment_is_reported_in_one_line(assignment, expected):
    with pytest.raises(DataError) as error:
        PipelineConfig().with_values([assignment])
    assert str(error.value).startswith(expected)


def command_of(*words):
    import dialogue_cube

    command = typer.main.get_command(dialogue_cube.app)
    for word in words:
        command = command.commands[word]
    return command


def test_every_setting_of_a_command_is_an_option_of_it():
    commands = {
        ResponseSelectionSettings: command_of("evaluate", "response-selection"),
        IntentsSettings: command_of("evaluate", "intents"),
        LeaderboardSettings: command_of("leaderboard"),
        PushTarget: command_of("push", "dataset"),
    }
    for settings, command in commands.items():
        options = {option.name: option for option in command.params}
        if settings is PushTarget:  # a model has more options than a dataset
            options |= {option.name: option for option in command_of("push", "model").params}
        for field in fields(settings):
            assert f"--{field.name.replace('_', '-')}" in options[field.name].opts
