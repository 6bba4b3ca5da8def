"""Pushing assistants to the loopback Hub: only open answers, without what was removed, loadable by name."""

import json

import pytest

from cube_model import DialogueAssistant
from cube_model.assistant.build import build_assistant
from cube_model.assistant.config import AssistantConfig, CalibrateConfig
from cube_model.assistant.recalibration import calibrate_again
from cube_model.assistant.store import AnswerStore
from hub.invented import pair, write_dataset
from push_scripts.errors import PushError
from push_scripts.push_assistant import push_assistant
from push_scripts.push_options import PushOptions
from support.assistant_fixtures import save_encoder, write_faq

SECRET = "The secret word is xylograph"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return save_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


def build(root, encoder, *more, **config):
    rows = [pair(f"open{number}", f"A ticket to town {number}, please.", context=[]) for number in range(12)]
    data = write_dataset(root / "data", {("pairs", "train"): [*rows, *more]})
    return build_assistant(AssistantConfig(data=str(data), encoder=str(encoder), **config), root / "assistant")


@pytest.mark.parametrize(
    "facts",
    [
        {"redistributable": False},
        {"license": "unknown"},
        {"license": "LicenseRef-private"},
        {"source": "smd"},
    ],
)
def test_an_assistant_with_a_restricted_answer_is_refused(tmp_path, encoder, facts):
    folder = build(tmp_path, encoder, pair("closed", SECRET, context=[], **facts))
    with pytest.raises(PushError, match=r"1 of its 13 answers may not be redistributed: \w+ \(1\); nothing was pushed"):
        push_assistant(folder, "org/name", PushOptions(dry_run=True))


def test_own_answers_are_refused(tmp_path, encoder):
    folder = build(tmp_path, encoder, own=[str(write_faq(tmp_path / "desk.csv"))])
    with pytest.raises(PushError, match=r"24 of its 36 answers may not be redistributed: desk \(24\)"):
        push_assistant(folder, "org/name", PushOptions(dry_run=True))


def test_parts_of_restricted_training_are_refused(tmp_path, encoder):
    folder = build(tmp_path, encoder)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["restricted"] == {}
    manifest["restricted"] = {"core: smd": "LicenseRef-none"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(PushError, match=r"trained on data that may not be redistributed.*: core: smd"):
        push_assistant(folder, "org/name", PushOptions(dry_run=True))
    assert push_assistant(folder, "org/name", PushOptions(dry_run=True, restricted_data=True)).sizes


def test_what_is_no_assistant_is_refused(tmp_path):
    with pytest.raises(PushError, match="not an assistant; make one with"):
        push_assistant(tmp_path, "org/name", PushOptions(dry_run=True))


def test_a_pushed_assistant_is_loaded_by_its_name(hub, tmp_path, encoder, monkeypatch):
    # a row that was open when it was built, and is removed before the push
    folder = build(tmp_path, encoder, pair("open12", SECRET, context=[]))
    store = AnswerStore(folder)
    view = store.view()
    secret = [row["id"] for row in view.table.to_pylist() if row["question"] == SECRET]
    store.remove(secret)
    calibrate_again(folder, CalibrateConfig())
    for stray in ("unanswered.jsonl", "encoder/pytorch_model.bin", "encoder/training.json", "notes.txt", ".env"):
        (folder / stray).write_text("secret")
    hub.use_here(monkeypatch)
    template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    repo = f"{hub.namespace}/assistant"
    pushed = push_assistant(folder, repo)
    assert pushed.published is not None
    files = hub.files("models", "assistant")
    assert not [name for name, content in files.items() if b"xylograph" in content or content == b"secret"]
    assert {name.split("/")[0] for name in files} - {".gitattributes"} == {
        *("manifest.json", "calibration.json", "topics.safetensors", "README.md", "segments", "encoder"),
    }
    assert f'from_pretrained("{repo}")' in files["README.md"].decode()
    loaded = DialogueAssistant.from_pretrained(repo, revision=pushed.published.commit)
    assert loaded.version == 2
    assert loaded.reply("A ticket to town 3, please.").answers[0].question == "A ticket to town 3, please."
    assert not push_assistant(folder, repo).published.changed  # nothing new
