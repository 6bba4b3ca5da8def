"""Steps on toy files: which run, which do not, and why."""

import json
import os

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.pipeline.digests import FileDigests, digest_of, signature
from dataset_builders.pipeline.steps import Product, Stamps, Step, plan, run


class Kitchen:
    """Joins two files in upper case: `a`, `b` -> `upper a`, `upper b` -> `joined`; `ran` lists the steps that ran."""

    def __init__(self, folder):
        self.folder, self.ran, self.broken = folder, [], set()
        for name in "ab":
            (folder / name).write_text(name)

    def upper(self, name):
        out = self.folder / f"{name}.upper"

        def make():
            self.ran.append(f"upper {name}")
            if name in self.broken:
                raise DataError(f"{name}: mouldy")
            out.write_text((self.folder / name).read_text().upper())
            return Product(digest_of([out.read_text()]))

        def inputs():
            return {f"file {name}": digest_of([(self.folder / name).read_text()]), "case": "upper"}

        return Step(f"upper {name}", inputs, make, (out,))

    def stamps(self):
        return Stamps(self.folder / "stamps")

    def steps(self):
        out, stamps = self.folder / "joined", self.stamps()
        uppers = [self.upper(name) for name in "ab"]

        def make():
            self.ran.append("joined")
            out.write_text("".join(path.read_text() for path in sorted(self.folder.glob("*.upper"))))
            return Product()

        def inputs():
            return {step.name: stamps.digest(step.name) for step in uppers if stamps.get(step.name)}

        joined = Step("joined", inputs, make, (out,), joins=tuple(step.name for step in uppers))
        return [*uppers, joined], stamps

    def run(self, **options):
        self.ran = []
        return {outcome.step: outcome for outcome in run(*self.steps(), **options)}

    def plan(self):
        return {outcome.step: (outcome.state, outcome.why) for outcome in plan(*self.steps())}


@pytest.fixture
def kitchen(tmp_path):
    kitchen = Kitchen(tmp_path)
    kitchen.run()
    return kitchen


def test_a_second_run_does_nothing(kitchen):
    assert kitchen.ran == ["upper a", "upper b", "joined"]
    outcomes = kitchen.run()
    assert kitchen.ran == []
    assert {outcome.state for outcome in outcomes.values()} == {"up to date"}
    assert set(kitchen.plan().values()) == {("up to date", "")}


def test_only_steps_that_depend_on_a_change_run(kitchen):
    (kitchen.folder / "b").write_text("c")
    assert kitchen.plan() == {
        "upper a": ("up to date", ""),
        "upper b": ("runs", "file b changed"),
        "joined": ("may run", "if upper b gives a new result"),
    }
    kitchen.run()
    assert kitchen.ran == ["upper b", "joined"]
    assert (kitchen.folder / "joined").read_text() == "AC"


def test_a_step_with_an_unchanged_product_starts_no_other(kitchen):
    (kitchen.folder / "b").write_text("B")  # the same in upper case
    outcomes = kitchen.run()
    assert kitchen.ran == ["upper b"]
    assert outcomes["joined"].state == "up to date"


@pytest.mark.parametrize("what", ["deleted", "changed"])
def test_deleted_or_modified_outputs_are_made_again(kitchen, what):
    out = kitchen.folder / "a.upper"
    if what == "deleted":
        out.unlink()
    else:
        out.write_text("something else")
    why = f"{out} is missing" if what == "deleted" else f"{out} was modified"
    assert kitchen.plan()["upper a"] == ("runs", why)
    kitchen.run()
    assert kitchen.ran == ["upper a"]
    assert out.read_text() == "A"


def test_a_failure_stops_the_run_and_the_step_is_tried_again(kitchen):
    (kitchen.folder / "a").write_text("d")
    kitchen.broken = {"a"}
    with pytest.raises(DataError, match="a: mouldy"):
        kitchen.run()
    assert kitchen.ran == ["upper a"]
    assert kitchen.plan()["upper a"] == ("runs", "not made yet")
    kitchen.broken = set()
    kitchen.run()
    assert kitchen.ran == ["upper a", "joined"]


def test_keep_going_runs_the_steps_that_can_run(tmp_path):
    kitchen = Kitchen(tmp_path)
    kitchen.broken = {"a"}
    outcomes = kitchen.run(keep_going=True)
    assert (outcomes["upper a"].state, outcomes["upper a"].why) == ("failed", "a: mouldy")
    assert outcomes["joined"].state == "done"
    assert (tmp_path / "joined").read_text() == "B"
    outcomes = kitchen.run(keep_going=True)  # only the failed step runs again
    assert kitchen.ran == ["upper a"]
    kitchen.broken = {"a", "b"}
    (tmp_path / "b").write_text("c")
    outcomes = kitchen.run(keep_going=True)
    assert (outcomes["joined"].state, outcomes["joined"].why) == ("skipped", "upper a failed")


DAMAGE = {
    "text": lambda whole: "{",
    "a list": lambda whole: "[]",
    "a number": lambda whole: "3",
    "deep": lambda whole: "[" * 100_000,
    "another key": lambda whole: whole.replace('"digest"', '"digesu"'),
    "no inputs": lambda whole: whole.replace('"inputs": {', '"inputs": [], "x": {'),
    "another type": lambda whole: whole.replace('"size": ', '"size": "a", "x": '),
    "other outputs": lambda whole: whole.replace('"outputs": {', '"outputs": {"a": 3, "b": {'),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_stamp_is_ignored(kitchen, damage):
    stamp = kitchen.folder / "stamps" / "upper-b.json"
    whole = stamp.read_text()
    stamp.write_text(damage(whole))
    assert stamp.read_text() != whole
    kitchen.run()
    assert kitchen.ran == ["upper b"]


@pytest.mark.parametrize("damage", ["{", "[]", "3", "[" * 100_000, '{"a": 3}', '{"a": []}', '{"a": [1, 2, 3]}', "\xff"])
def test_damaged_digests_are_computed_again(tmp_path, damage):
    (tmp_path / "digests.json").write_text(damage, encoding="latin-1")
    (tmp_path / "a").write_text("a")
    assert FileDigests(tmp_path / "digests.json").of(tmp_path / "a").startswith("sha256:ca978112")


def test_two_causes_are_named_and_the_others_counted(kitchen):
    stamp = kitchen.folder / "stamps" / "upper-a.json"
    content = json.loads(stamp.read_text())
    content["inputs"] |= {"case": "lower", "language": "en", "zebra": "1"}
    stamp.write_text(json.dumps(content))
    assert kitchen.plan()["upper a"] == ("runs", "case: lower -> upper, removed: language and 1 more")


def test_files_are_read_again_only_if_they_have_changed(tmp_path, monkeypatch):
    from dataset_builders.pipeline import digests

    reads = []
    monkeypatch.setattr(digests, "sha256", lambda path: reads.append(path.name) or path.read_text())
    monkeypatch.setattr(digests, "_RACY_NS", -1)
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in ("one", "two", ".hidden"):
        (raw / name).write_text(name)

    def below():
        files = FileDigests(tmp_path / "digests.json")
        result = files.below(raw, "raw file")
        files.save()
        return result

    assert below() == {"raw file one": "sha256:one", "raw file two": "sha256:two"}
    below()
    assert reads == ["one", "two"]
    before = (raw / "two").stat()
    (raw / "two").write_text("owt")  # of the same size, and its time is restored
    os.utime(raw / "two", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert below()["raw file two"] == "sha256:owt"
    assert reads == ["one", "two", "two"]


def test_a_file_that_has_just_changed_is_not_remembered(tmp_path):
    (tmp_path / "new").write_text("new")
    files = FileDigests(tmp_path / "digests.json")
    files.of(tmp_path / "new")
    files.save()
    assert not (tmp_path / "digests.json").exists()


def test_signatures(tmp_path):
    assert signature(tmp_path / "absent") == {}
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("12345")
    assert signature(tmp_path / "folder")["file"][0] == 5
    assert list(signature(tmp_path / "folder" / "file")) == ["."]
