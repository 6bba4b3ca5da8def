"""The code that each step depends on: by the rules, on a copy of the source, and as measured while the steps run."""

import ast
import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.common.outputs import output_folder
from dataset_builders.own_data import OwnBuilder
from dataset_builders.pipeline import digests
from dataset_builders.pipeline.code import ONLY_DRAWS, PACKAGES, Code, Entries
from dataset_builders.pipeline.context import OWN
from dataset_builders.pipeline.data_steps import (
    DATABASE,
    DATASET,
    DUPLICATES,
    OWN_DATA,
    data_code,
    rows_step,
    source_step,
)
from dataset_builders.pipeline.digests import FileDigests
from dataset_builders.pipeline.model_steps import MODEL_CODE, TRAIN, evaluation_step, push_step
from dataset_builders.pipeline.steps import Stamps
from dataset_builders.sources.registry import builders, source_modules
from support.tiny_teacher import save_tiny_distilbert

INSTALLED = Code(FileDigests(Path(os.devnull))).root

ENCODER = ("cube_model.vectors.plugin:load_encoder",)

CODE = data_code(["taskmaster", OWN], ENCODER) | MODEL_CODE


def copy_packages(folder):
    """Copy the source of our packages to a folder where a test may change it."""
    for name in PACKAGES:
        if (INSTALLED / name).is_dir():
            shutil.copytree(INSTALLED / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(INSTALLED / f"{name}.py", folder)
    return folder


def package_files(folder):
    return {
        path for name in PACKAGES for path in [folder / f"{name}.py", *(folder / name).rglob("*")] if path.is_file()
    }


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return copy_packages(tmp_path_factory.mktemp("sources"))


@pytest.fixture
def write(tmp_path):
    """Write files to a toy package, and return the modules that an entry point depends on."""

    def run(files, *entries, without=()):
        for name, text in {"__init__.py": "", **files}.items():
            path = tmp_path / "cube_model" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        code = Code(FileDigests(tmp_path / "digests.json"), tmp_path)
        names = tuple(f"cube_model.{entry}" for entry in entries)
        entry_points = Entries(names, tuple(f"cube_model.{name}" for name in without))
        modules = code.modules(entry_points)
        data = [path.name for path in code.files(entry_points) if path.suffix != ".py"]
        assert "cube_model" in modules
        return " ".join([name.removeprefix("cube_model.") for name in modules if name != "cube_model"] + data)

    return run


SMALL = dict.fromkeys(["a.py", "b.py", "c.py", "d.py", "deep/__init__.py", "deep/e.py"], "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import cube_model.a\nimport numpy, torch.nn", "a start"),
        ("from cube_model import a, b", "a b start"),
        ("from cube_model.a import name", "a start"),
        ("from . import a\nfrom .deep import e as f", "a deep deep.e start"),
        ("def f():\n  try:\n    import x\n  except ImportError:\n    from cube_model import a\n  else:\n    import cube_model.b", "a b start"),
        ("class C:\n  def f(self):\n    with g():\n      from cube_model import a", "a start"),
        ("match 1:\n  case 1:\n    import cube_model.a", "a start"),
        ("if TYPE_CHECKING:\n  from cube_model import a\nelse:\n  from cube_model import b", "b start"),
        ("if typing.TYPE_CHECKING:\n  from cube_model import a", "start"),
        ("if __name__ == '__main__':\n  from cube_model import a", "start"),
        ("'''\nfrom cube_model import a\n'''", "start"),
        ("from cube_model.deep.e import name", "deep deep.e start"),
    ],
)  # fmt: skip
def test_imports_that_count(write, text, expected):
    assert write({**SMALL, "start.py": text}, "start") == expected


def test_imports_are_followed_in_circles_too(write):
    files = {"a.py": "from cube_model import b", "b.py": "from cube_model import c", "c.py": "from cube_model import a"}
    assert write({**SMALL, **files}, "a") == "a b c"
    assert write({}, "a", without=["c"]) == "a b"


LAZY = """
if TYPE_CHECKING:
    from cube_model.a import One
    from cube_model.b import Two as Other
def __getattr__(name): ...
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from cube_model.lazy import One", "a lazy start"),
        ("from cube_model.lazy import Other", "b lazy start"),
        ("from cube_model.lazy import c", "lazy lazy.c start"),
        ("from cube_model import lazy", "a b lazy start"),
        ("import cube_model.lazy.c", "lazy lazy.c start"),
    ],
)
def test_names_that_a_package_loads_on_first_use(write, text, expected):
    assert write({**SMALL, "lazy/__init__.py": LAZY, "lazy/c.py": "", "start.py": text}, "start") == expected
    assert write({}, "lazy:One") == "a lazy"


def test_only_what_an_entry_point_needs_of_its_module_counts(write):
    text = """
from cube_model import a, b, c
from cube_model.deep import e
LIMIT = a.limit()
def helper(): return LIMIT
def first():
    from cube_model import d
    return helper()
def second(): return b
@c.command
class Third: ...
e.register()
"""
    assert write({**SMALL, "start.py": text}, "start:first") == "a d start"
    assert write({}, "start:second") == "b start"
    assert write({}, "start:Third") == "c start"
    assert write({}, "start:first", "start:second") == "a b d start"
    assert write({}, "start") == "a b c d deep deep.e start"
    # if another module imports it, the whole module counts
    assert write({"d.py": "from cube_model.start import second"}, "start:first") == "a b c d deep deep.e start"


def test_files_that_modules_open(write):
    data = {
        "texts/en.txt": "",
        "sgd_files.tsv": "",
        "woz_files.tsv": "",
        ".hidden": "",
        "deep/other.sql": "",
        "all.md": "",
    }
    files = {**SMALL, **data, "sgd.py": "table(__file__)", "woz.py": "", "page.py": "files('cube_model.deep')"}
    assert write(files, "woz") == "woz"
    assert write({}, "sgd") == "sgd all.md sgd_files.tsv en.txt"
    assert write({}, "page") == "page other.sql"


@pytest.mark.parametrize(
    ("entry", "without", "message"),
    [
        ("start:gone", (), r"start\.py: a step of the pipeline calls gone, which does not exist"),
        ("gone", (), r"needs cube_model\.gone"),
        ("start", (), r"needs cube_model\.lost"),
        ("a", ("gone",), r"needs cube_model\.gone"),
    ],
)
def test_missing_names_and_modules_are_errors(write, entry, without, message):
    with pytest.raises(DataError, match=message):
        write({**SMALL, "start.py": "import cube_model.lost\n"}, entry, without=without)


def test_imports_are_remembered_between_runs(sources, tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "_RACY_NS", -1)
    files = FileDigests(tmp_path / "digests.json")
    first = {step: Code(files, sources).digest(entries) for step, entries in CODE.items()}
    files.save()
    monkeypatch.setattr("ast.parse", None)  # so that parsing would fail
    again = Code(FileDigests(tmp_path / "digests.json"), sources)
    assert {step: again.digest(entries) for step, entries in CODE.items()} == first


@pytest.mark.parametrize("step", CODE)
def test_exactly_the_files_of_a_step_decide(step, sources, tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "_RACY_NS", -1)
    remembered = FileDigests(tmp_path / "digests.json")

    def digest():
        return Code(remembered, sources).digest(CODE[step])

    before, files = digest(), Code(remembered, sources).files(CODE[step])
    # a digest is made in the same way for all steps, so that one in eight files is enough for most of them
    for file in files if step in (source_step("taskmaster"), DATABASE) else files[::8]:
        content = file.read_bytes()
        file.write_bytes(content + b"\n# edited\n")
        assert digest() != before, file
        file.write_bytes(content)
    assert digest() == before
    others = {file: file.read_bytes() for file in package_files(sources) - set(files)}
    assert len(others) > 100
    for file, content in others.items():
        file.write_bytes(content + b"\n# edited\n")
    try:
        assert digest() == before
    finally:
        for file, content in others.items():
            file.write_bytes(content)


def test_a_source_affects_only_the_steps_that_read_it():
    code = Code(FileDigests(Path(os.devnull)))
    files = {step: code.files(entries) for step, entries in data_code([*source_modules(), OWN], ENCODER).items()}

    def affected(module, ending=".py"):
        file = INSTALLED.joinpath(*module.split("."))
        return {step for step in files if file.with_name(file.name + ending) in files[step]}

    for name, builder in builders().items():
        expected = {f"download: {name}", source_step(name)}
        assert affected(builder.__module__) == expected
        assert affected(builder.__module__, "_files.tsv") in (expected, set())
    assert affected(builders()["sgd"].__module__, "_files.tsv")
    assert affected(OwnBuilder.__module__) == {source_step(OWN), rows_step(OWN)}


def test_no_command_line_and_no_page_is_part_of_the_data_steps():
    code = Code(FileDigests(Path(os.devnull)))
    for step, entries in data_code(source_modules()).items():
        for module in code.files(entries):
            assert not re.search(rb"^\s*(from|import) (typer|streamlit|plotly)", module.read_bytes(), re.M), (
                step,
                module,
            )


def test_no_step_depends_on_progress_bars():
    code = Code(FileDigests(Path(os.devnull)))
    for module in ONLY_DRAWS:
        assert module in code.modules(Entries((module,)))  # it exists
        assert not [step for step, entries in CODE.items() if module in code.modules(entries)]


@pytest.mark.parametrize(
    "package",
    [pytest.param("cube_model", marks=pytest.mark.slow), "dataset_builders.database", "dataset_builders.own_data"],
)
def test_lazy_names_are_in_the_declared_modules(package):
    """`__getattr__` loads the names from the modules that type checkers see."""
    import importlib

    code, loaded = Code(FileDigests(Path(os.devnull))), importlib.import_module(package)
    for name in loaded.__all__:
        assert getattr(loaded, name).__module__ in code.modules(Entries((f"{package}:{name}",))), name


def test_an_encoder_is_code_or_the_version_of_its_package(tmp_path, monkeypatch):
    from dataset_builders.pipeline.config import DatasetSettings, PipelineConfig
    from dataset_builders.pipeline.context import Context, Layout
    from dataset_builders.pipeline.data_steps import data_steps

    def inputs(encoder):
        config = PipelineConfig(raw_dir=tmp_path, out=tmp_path, dataset=DatasetSettings(encoder=encoder))
        context = Context(config, Layout(tmp_path), Stamps(tmp_path), FileDigests(tmp_path / "digests.json"))
        (tmp_path / "pipeline" / "survey").mkdir(parents=True, exist_ok=True)
        return {step.name: step.inputs() for step in data_steps(context, {"woz": None})}

    other = tmp_path / "somebody_elses-3.1.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: somebody-elses\nVersion: 3.1\n")
    (other / "entry_points.txt").write_text("[dialogue_cube.encoders]\nother = somebody_elses:load\n")
    monkeypatch.syspath_prepend(tmp_path)
    without, with_one = inputs(None), inputs("minilm")
    for step in (source_step("woz"), DUPLICATES, DATABASE):
        assert with_one[step] == without[step]
    for step in (rows_step("woz"), DATASET):
        assert with_one[step]["code"] != without[step]["code"]
        assert with_one[step]["version of somebody-elses"] == "3.1"
        assert "version of somebody-elses" not in without[step]


MEASURE = """
import atexit, builtins, json, os, sys

root = os.environ["MEASURED_SOURCES"] + os.sep
called, opened, earlier = set(), set(), set()
builtins.note_call = called.add  # keeps adding to this set, which is emptied at the start of a step

def audit(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, os.PathLike)) and os.fspath(arguments[0]).startswith(root):
        opened.add(os.fspath(arguments[0]))

def imported():
    files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
    return {file for file in files if file.startswith(root)}

def write(name="rest"):
    data = [file for file in opened if not file.endswith(".py") and "__pycache__" not in file]
    measured = {"words": sys.orig_argv, "step": os.environ.get("MEASURED_STEP", ""), "called": sorted(called)}
    measured |= {"imported": sorted(imported() - earlier), "opened": data}
    with open(os.path.join(os.environ["MEASURED"], f"{os.getpid()} {name}.json"), "w") as file:
        json.dump(measured, file)

def run_step(step):
    global earlier
    earlier = imported()
    called.clear(), opened.clear()
    os.environ["MEASURED_STEP"] = step.name  # its processes see it, too
    try:
        return step.run()
    finally:
        write(str(len(os.listdir(os.environ["MEASURED"]))))
        os.environ["MEASURED_STEP"] = ""

builtins.run_step = run_step
sys.addaudithook(audit)
atexit.register(write)
"""


class NotesCalls(ast.NodeTransformer):
    """Lets every function note the file that it is in when it is called.

    `sys.settrace` would notice the calls of all libraries, too, which doubles the time.
    """

    note = ast.parse("note_call(__file__)").body

    def visit_FunctionDef(self, node):
        start = 1 if ast.get_docstring(node, clean=False) is not None else 0
        node.body[start:start] = self.note
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node):
        node.body = ast.BoolOp(ast.Or(), [self.note[0].value, self.visit(node.body)])  # `note_call` returns None
        return node


def note_calls(folder):
    """Rewrite the modules in a folder so that they note their calls."""
    for path in folder.rglob("*.py"):
        tree = ast.fix_missing_locations(NotesCalls().visit(ast.parse(path.read_text(encoding="utf-8"))))
        path.write_text(ast.unparse(tree), encoding="utf-8")


def note_steps(folder):
    """Rewrite the pipeline in a folder so that what a step uses is noted apart from what others use."""
    file = folder / "dataset_builders" / "pipeline" / "steps.py"
    text = file.read_text(encoding="utf-8")
    assert text.count("product = step.run()") == 1
    file.write_text(text.replace("step.run()", "run_step(step)"), encoding="utf-8")


def shorten(file):
    """Keep one in four rows of a CSV file."""
    with file.open(newline="") as old:
        header, *rows = csv.reader(old)
    with file.open("w", newline="") as new:
        csv.writer(new).writerows([header, *rows[::4]])


class Run:
    """A pipeline that runs from a copy of the source, with measurements."""

    def __init__(self, place, raw):
        self.place, self.sources = place, copy_packages(place / "sources")
        note_calls(self.sources)
        note_steps(self.sources)
        for name in ("camrest676", "banking77"):
            shutil.copytree(raw / name, place / "raw" / name)
        shorten(place / "raw" / "banking77" / "train.csv")
        (place / "faq.csv").write_text("question,answer\nWhere is my parcel?,It comes today.\nAnd when?,At three.\n")
        (place / "hook").mkdir()
        (place / "hook" / "sitecustomize.py").write_text(MEASURE)
        teacher = save_tiny_distilbert(place / "teacher", 64)
        (place / "pipeline.yaml").write_text(f"""
raw_dir: raw
out: out
own: {{path: faq.csv, language: en, license: CC0-1.0}}
dataset: {{encoder: {teacher}, hard_negatives: 1}}
train: {{teacher: {teacher}, epochs: 1, threads: 1, max_pairs: 200}}
evaluate:
  response_selection: {{draws: 1, max_pairs: 50}}
  intents: {{sources: [banking77], protocol: [knn], seeds: 1}}
  leaderboard: {{methods: [sim, core], train_sizes: [50], seeds: 1, draws: 1, max_test_pairs: 50}}
push:
  dataset: {{repo: org/corpus, dry_run: true}}
  model: {{repo: org/core, dry_run: true}}
""")

    def __call__(self, *options):
        """The output of the command, and the measurements of its processes."""
        import json

        measured = self.place / "measured"
        shutil.rmtree(measured, ignore_errors=True)
        measured.mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "dialogue_cube", "pipeline", "--config", self.place / "pipeline.yaml", *options],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.place,
            env=os.environ
            | {
                "PYTHONPATH": os.pathsep.join(map(str, [self.sources, self.place / "hook"])),
                "MEASURED": str(measured),
                "MEASURED_SOURCES": str(self.sources),
                "HF_DATASETS_CACHE": str(self.place / "cache"),
                "DIALOGUE_CUBE_CACHE": str(self.place / "cube"),
                "OMP_NUM_THREADS": "1",
                "COLUMNS": "200",
                "NO_COLOR": "1",
            },
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, [json.loads(path.read_text()) for path in measured.iterdir()]

    def would_run(self):
        """Reason of each step that a dry run would run."""
        lines = (re.split(r"  +", line.strip()) for line in self("--dry-run")[0].splitlines())
        return {words[0]: words[-1] for words in lines if "runs" in words}


@pytest.fixture(scope="module")
def pipeline(sample_raw, tmp_path_factory):
    """The pipeline after a run of all steps, with the measurements of their commands."""
    run = Run(tmp_path_factory.mktemp("pipeline").resolve(), sample_raw)
    run.first = run()[1]
    run.idle = run()[1]
    return run


def compare(run, processes, step):
    """Compare what a step called, imported and opened with its code; exceptions are documented here.

    A module that an earlier step has imported in the same process counts only if one of its functions is called.
    """
    from cube_model._command import run_launched
    from dataset_builders.common.languages import check_language
    from dataset_builders.common.options import keywords_of
    from dataset_builders.corpus.options import BuildOptions
    from dataset_builders.quality.config import QualityConfig
    from dataset_builders.quality.filters import Filter

    code = Code(FileDigests(Path(os.devnull)), run.sources)
    entries = (data_code(["camrest676", "banking77", OWN], ENCODER) | MODEL_CODE)[step]
    # code of an idle run, and code that drives a step: it checks or describes settings, renames folders, prints errors
    settings = (BuildOptions, QualityConfig, Filter, check_language, keywords_of, run_launched)
    checks = [each.__module__ for each in settings]
    driving = [*checks, *ONLY_DRAWS, *code.modules(Entries((f"{output_folder.__module__}:output_folder",)))]
    # the registry imports all sources; rows from an earlier step come with their builder
    others = [builder.__module__ for name, builder in builders().items() if step != source_step(name)]
    if step != source_step(OWN):
        others.append(OWN_DATA)
    # other imports of the modules of entry points
    beside = [name.partition(":")[0] for name in entries.names]

    def measured(processes, what):
        places = {Path(file).relative_to(run.sources) for process in processes for file in process[what]}
        if what == "opened":
            return {str(place) for place in places}
        return {".".join(place.with_suffix("").parts).removesuffix(".__init__") for place in places}

    def reached(modules):
        return set(code.modules(Entries(tuple(modules))))

    needed = set(code.modules(entries))
    expected = {"called": {*driving}, "imported": reached([*driving, *others, *beside])}
    for what, modules in expected.items():
        missing = measured(processes, what) - measured(run.idle, what) - needed - modules
        assert not {name for name in missing if not f"{name}.".startswith(tuple(f"{other}." for other in others))}, what
    needed_files = {str(file.relative_to(run.sources)) for file in code.files(entries)}
    tables = {str(file.relative_to(run.sources)) for file in code.files(Entries(tuple(others)))}
    assert not measured(processes, "opened") - measured(run.idle, "opened") - needed_files - tables
    assert measured(processes, "called") & needed


@pytest.mark.slow
@pytest.mark.parametrize("step", [source_step("banking77"), source_step(OWN), DUPLICATES, rows_step("camrest676"), DATASET, DATABASE])  # fmt: skip
def test_a_step_uses_nothing_but_its_code(pipeline, step):
    processes = [process for process in pipeline.first if process["step"] == step]
    assert processes
    compare(pipeline, processes, step)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "words"),
    [
        (TRAIN, "-m cube_model.train"),
        (evaluation_step("response_selection"), "-m dialogue_cube evaluate response-selection"),
        (evaluation_step("intents"), "-m dialogue_cube evaluate intents"),
        (evaluation_step("leaderboard"), "-m dialogue_cube leaderboard"),
        (push_step("dataset"), "-m dialogue_cube push dataset"),
        (push_step("model"), "-m dialogue_cube push model"),
    ],
)
def test_a_command_uses_nothing_but_the_code_of_its_step(pipeline, step, words):
    processes = [process for process in pipeline.first if words in " ".join(process["words"])]
    assert len(processes) == 1
    compare(pipeline, processes, step)


@pytest.mark.slow
def test_a_step_runs_again_when_its_code_is_edited(pipeline):
    from cube_model.evaluation import methods, response_selection
    from cube_model.metrics import metrics
    from dataset_builders import licenses, sql
    from dataset_builders.sql import run as statistics

    # modules of one row are edited together, since neither is code of the other's step or of a step before it
    for steps in [
        {methods: evaluation_step("response_selection"), statistics: DATABASE},
        {response_selection: evaluation_step("response_selection"), sql: DATABASE},
        {metrics: TRAIN},
        {licenses: source_step("banking77")},
    ]:
        files = [pipeline.sources / Path(module.__file__).relative_to(INSTALLED) for module in steps]
        contents = [file.read_text() for file in files]
        for file, content in zip(files, contents, strict=True):
            file.write_text(f"{content}\n# edited\n")
        reasons = pipeline.would_run()
        assert {reasons[step] for step in steps.values()} == {"code changed"}, steps
        for file, content in zip(files, contents, strict=True):
            file.write_text(content)
    file = pipeline.sources / Path(sql.__file__).relative_to(INSTALLED)
    file.write_text(f"{file.read_text()}\n# edited\n")
    assert "1 of 15 steps ran" in pipeline()[0]
    assert pipeline.would_run() == {}
