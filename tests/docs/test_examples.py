"""Every public name has an example in its docstring, and all of them run.

They run in one folder with raw files of the invented sample (`raw`), a dataset and a core. The teacher `minilm` is a tiny
one with random weights.
"""

import doctest
import inspect
import shutil
from typing import get_type_hints

import pytest

import dialogue_cube
from cube_model.data import config
from cube_model.data.vector_pairs import EmbeddingPairs
from support.tiny_teacher import save_tiny_distilbert

NAMES = sorted(set(dialogue_cube.__all__))
GLOBALS = {"Path": __import__("pathlib").Path}
FINDER, RUNNER = doctest.DocTestFinder(recurse=True), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)


@pytest.fixture(scope="module")
def workspace(sample_raw, tmp_path_factory):
    """A folder with `raw`, `dataset` and `core`, the current folder of the examples."""
    root = tmp_path_factory.mktemp("examples")
    save_tiny_distilbert(root / "teachers" / "minilm", dimension=384)
    for name in ("camrest676", "banking77"):
        shutil.copytree(sample_raw / name, root / "raw" / name)
    settings = {"TEACHERS_DIR": "teachers", "DIALOGUE_CUBE_CACHE": "cache", "HF_HUB_OFFLINE": "1"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr("datasets.config.HF_DATASETS_CACHE", root / "datasets")
        for name, value in settings.items():
            patch.setenv(name, str(root / value) if value[0].isalpha() else value)
        dialogue_cube.build_dataset([], raw_dir="raw", out="dataset")
        options = dialogue_cube.TrainingConfig(
            data="dataset", output="core", epochs=1, validation="split", progress=False
        )
        dialogue_cube.CubeTrainer(options).train()
        yield root


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_a_public_name_runs(name, workspace):
    thing = inspect.unwrap(getattr(dialogue_cube, name))
    documented = FINDER.find(thing, name, extraglobs={**vars(inspect.getmodule(thing)), **GLOBALS})
    assert documented[0].examples, f"{name} has no example"
    for each in documented:
        # without the module's own options, such as a test's arguments
        assert RUNNER.run(each).failed == 0, each.name


@pytest.mark.parametrize("thing", [EmbeddingPairs, EmbeddingPairs.batches], ids=lambda thing: thing.__qualname__)
def test_the_example_of_a_base_class_runs(thing, workspace):
    for each in FINDER.find(thing, thing.__name__, extraglobs=vars(inspect.getmodule(thing))):
        assert RUNNER.run(each).failed == 0


@pytest.mark.parametrize(
    ("keywords", "fields", "elsewhere"),
    [
        (config.DatasetOptions, config.DatasetConfig, {"teacher", "validation_split"}),
        (config.DialogueOptions, config.DialogueConfig, {"teacher", "validation_split", "context_turns"}),
    ],
)
def test_the_keywords_are_the_fields_of_the_config(keywords, fields, elsewhere):
    types = {name: kind for name, kind in get_type_hints(fields).items() if name not in elsewhere}
    assert get_type_hints(keywords) == {**types, "teacher_model": str}


@pytest.mark.parametrize(
    "name", ["create_dialogue_dataset", "create_conversation_dataset", "load_dialogue_dataset_from_files"]
)
def test_help_shows_every_keyword_with_its_default(name):
    parameters = inspect.signature(getattr(dialogue_cube, name)).parameters
    assert parameters["min_answer_length"].default == 1
    assert all(kind.kind is not inspect.Parameter.VAR_KEYWORD for kind in parameters.values())
    assert set(get_type_hints(config.DialogueConfig)) <= set(parameters)
