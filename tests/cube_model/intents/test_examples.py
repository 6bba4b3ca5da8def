"""The examples in the docstrings of functions run."""

import doctest
import importlib

import numpy as np
import pytest


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("label_names", ["ancestor", "parts_of", "words_of"]),
        ("suggestions", ["suggest"]),
        ("head", ["IntentHead.fit"]),
    ],
)
def test_examples_run(module, names):
    if module == "suggestions":
        pytest.importorskip("scipy", reason="install the extra `flow`")
    loaded = importlib.import_module(f"cube_model.intents.{module}")
    tests = {each.name.removeprefix(f"{loaded.__name__}."): each for each in doctest.DocTestFinder().find(loaded)}
    for name in names:
        tests[name].globs["np"] = np
        result = doctest.DocTestRunner().run(tests[name])
        assert (result.failed, result.attempted > 0) == (0, True)
