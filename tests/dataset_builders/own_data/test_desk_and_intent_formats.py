"""Exports of support desks and of NLU tools: what is refused, what is left to other readers, and what goes beside it."""

import json

import pytest

from dataset_builders.own_data.containers.text_encoding import is_damaged
from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.registry import all_formats
from dataset_builders.own_data.messages import BadItem, LabelledText
from dataset_builders.own_data.options import Options
from dataset_builders.own_data.probe import Probe
from dataset_builders.sources.raw_files import RawFile
from support.own_samples import SAMPLES

FORMATS = {own.name: own for own in all_formats()}
COMMENT = {"author_id": 1, "public": True, "html_body": "<p>Hello</p>", "created_at": "2026-03-02T08:00:00Z"}
TICKET = {"id": 7, "requester_id": 1, "submitter_id": 1, "via": {"channel": "web"}, "description": "Hello"}
EVENT = {"type": "message", "user_type": "visitor", "text": "Hello"}


@pytest.fixture
def export(tmp_path):
    """Make an export of files, of which the first is recognised."""

    def make(**contents):
        files = []
        for name, content in contents.items():
            path = tmp_path / name
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
            files.append(RawFile(name, path))
        return Export(files[0], files[1:], "utf-8", Options())

    return make


def read(name, export):
    return list(FORMATS[name].read(export))


def sampled(name, case, file):
    """The items of a file of a sample."""
    folder = SAMPLES / name / case
    files = [RawFile(p.relative_to(folder).as_posix(), p) for p in sorted(folder.rglob("*")) if p.is_file()]
    first = next(f for f in files if f.name == file)
    return read(name, Export(first, FORMATS[name].companions(first, files), "utf-8", Options()))


def recognised(export):
    probe = Probe(export.file, "utf-8")
    return [own.name for own in all_formats() if own.recognises(probe)]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("zendesk", TICKET, "no `comments`"),
        ("zendesk", [{**TICKET, "comments": [COMMENT]}, {"count": 1}], "expected a ticket"),
        ("zendesk-chat", [{"type": "chat", "visitor": {}}], "expected a chat with its events"),
        ("freshdesk", {"requester_id": 1, "description_text": "Hello"}, "no `conversations`"),
        ("intercom", {"type": "conversation", "source": {"author": {}, "body": "Hello"}}, "retrieve each"),
        ("helpscout", {"subject": "Tea", "mailboxId": 1, "threads": 2}, "embed=threads"),
        ("livechat", {"chats": [{"visitor": {}, "messages": [EVENT]}, {"id": "P1"}]}, "`users` and `thread`"),
        ("rasa-nlu", "nlu:\n- intent: greet\n", "expected `intent` and `examples`"),
        ("rasa-stories", "stories:\n- story: a\n  steps:\n  - intent: greet\n", "only end-to-end stories"),
        ("rasa-stories", "stories:\n- story: a\n  steps:\n  - user: hi\n  - action: utter_hi\n", "no text of utter_hi"),
        ("rasa-stories", "## a\n* greet\n  - utter_greet\n", "only end-to-end stories"),
        ("dialogflow", [{"data": [{"text": "@tea:tea"}], "isTemplate": True, "count": 0}], "a template"),
        ("lex", {"name": "Order", "sampleUtterances": [{"utterance": None}]}, "expected an utterance"),
        ("luis", {"luis_schema_version": "7.0.0", "utterances": [{"text": "hi"}]}, "with `text` and `intent`"),
        ("watson", {"intents": [{"intent": "greet", "examples": [{}]}]}, "expected an example"),
        ("wit", {"data": [{"text": "hi", "entities": []}]}, "no entity `intent`"),
        ("fasttext", "__label__a\n", "and a text"),
        ("seq-in", "hi\n", "expected a file `label`"),
        ("text-label-lines", "hi\tgreet\nbye\n", "found 1 cells"),
        ("text-label-lists", [["hi", "greet"], ["bye"]], "its label"),
        ("nlpjs", {"locale": "en", "data": [{"utterances": ["hi"]}]}, "an `intent`"),
        ("snips", {"Greet": [{"text": "hi"}]}, "its parts"),
        ("lu", "# Order\n- bring {tea}\n", "a pattern"),
    ],
)
def test_what_cannot_be_a_row_is_refused_with_a_reason(export, name, content, reason):
    bad = [item for item in read(name, export(data=content)) if isinstance(item, BadItem)]
    assert len(bad) == 1
    assert reason in bad[0].reason


@pytest.mark.parametrize(
    "lines",
    [
        [f"question {n}\tanswer {n}" for n in range(20)],
        [f"question {n}\tIt is {n % 2}." for n in range(20)],  # answers that repeat, but are sentences
        [f"{'customer' if n % 2 else 'operator'}_1\ttext {n}" for n in range(20)],
        [f"{'Ann' if n % 2 else 'Ben'}\ttext {n}" for n in range(20)],
        [f"{n // 4}\ttext {n}" for n in range(40)],  # numbers of dialogues
        ["text\tlabel", *(f"text {n}\tgreet" for n in range(9)), *(f"word {n}\tbye" for n in range(9))],
        [f"text {n}\tgreet\t1" for n in range(20)],
        [f"text {n}\tgreet" for n in range(9)],
    ],
)
def test_lines_that_may_be_something_else_are_left_to_the_reader_of_tables(export, lines):
    assert recognised(export(data="".join(f"{line}\n" for line in lines))) == []


@pytest.mark.parametrize(
    "content",
    [
        [["how are you", "fine, thanks"], ["where are you", "in Berlin"]] * 3,
        {"banking": ["freeze_account", "routing"], "travel": ["visa"]},
        {"train": [["question", f"answer {n}"] for n in range(20)]},
        {"data": [{"text": "hi", "intent": "greet"}]},
        {"sentences": [{"text": "hi", "intent": "greet", "entities": []}]},
        [{"id": 1, "subject": "Tea", "comments": [{"author": "Ann", "body": "Hello"}]}],
    ],
)
def test_plain_json_is_left_to_the_generic_reader(export, content):
    assert recognised(export(data=content)) == []


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"tickets": [1, 2]}),
        json.dumps([1, 2]),
        json.dumps([{"tickets": [1]}, 2]),
        '{"tickets": [1]}\n{"tickets": [2]}\n',
    ],
)
def test_records_are_found_however_an_export_is_saved(export, content):
    assert [record for _, record in export(data=content).records("tickets")] == [1, 2]


def test_a_broken_line_of_an_export_is_refused_alone(export):
    ticket = json.dumps({**TICKET, "comments": [COMMENT]})
    first, broken, last = read("zendesk", export(data=f'{ticket}\n{{"id": \n{ticket}\n'))
    assert (broken.line, "not valid JSON" in broken.reason) == (2, True)
    assert (first.line, last.line) == (1, 3)


def test_people_in_copy_have_no_role_unless_they_follow_as_agents(export):
    ticket = {"requester_id": 1, "assignee_id": 2, "email_cc_ids": [2, 3, 4], "follower_ids": [3]}
    comments = [{**COMMENT, "author_id": author} for author in (1, 2, 3, 4, 5)]
    (conversation,) = read("zendesk", export(data={**ticket, "comments": comments}))
    assert [m.role for m in conversation.messages] == ["user", "system", "system", None, "system"]


def test_a_case_keeps_what_it_is_about_but_not_who_it_is_with():
    case = sampled("zendesk", "full_export", "tickets.ndjson")[0]
    assert (case.id, case.scenario) == ("101", "Kettle does not switch off")
    assert case.metadata["tags"] == ["kettle", "warranty"]
    chat = sampled("helpscout", "api_2", "conversations.json")[1]  # its subject is "Chat with Vera"
    assert chat.scenario is None
    assert "Vera" not in json.dumps(chat.metadata)


@pytest.mark.parametrize(
    ("name", "case", "file", "facts"),
    [  # texts, out of scope, languages, splits
        ("dialogflow", "agent", "intents/Default Fallback Intent_usersays_en.json", (1, 1, {"en"}, {""})),
        ("dialogflow", "agent", "intents/order.tea_usersays_ru.json", (1, 0, {"ru"}, {""})),
        ("lex", "v2", "TeaBot/BotLocales/de_DE/Intents/OrderTea/Intent.json", (1, 0, {"de-DE"}, {""})),
        ("luis", "app", "tea-shop_v0.1.json", (3, 1, {"en-us"}, {""})),
        ("watson", "dialog_skill", "skill-Tea.json", (5, 1, {"en"}, {""})),
        ("wit", "app", "tea/utterances/utterances-1.json", (3, 1, {"en"}, {""})),
        ("seq-in", "folders", "test/seq.in", (1, 0, {None}, {"test"})),
        ("text-label-lists", "clinc", "data_full.json", (7, 3, {None}, {"train", "val", "test"})),
        ("nlpjs", "corpus", "corpus-en.json", (5, 1, {"en-US"}, {"train", "test"})),
        ("snips", "dataset", "dataset.json", (2, 0, {"de"}, {""})),
    ],
)
def test_scope_language_and_split_of_intents(name, case, file, facts):
    texts = [item for item in sampled(name, case, file) if isinstance(item, LabelledText)]
    out_of_scope = sum(item.is_out_of_scope for item in texts)
    assert (len(texts), out_of_scope, {t.language for t in texts}, {t.split for t in texts}) == facts


def test_an_utterance_with_slots_names_them():
    texts = sampled("lex", "v1", "TeaBot_1_Bot_LEX_V1.json")
    assert [(item.text, item.metadata) for item in texts[:2]] == [
        ("I want {Tea}", {"slots": ["Tea"]}),
        ("order tea", {}),
    ]


def test_a_file_of_domains_gives_the_scenarios_of_labels():
    texts = sampled("text-label-lists", "clinc", "data_full.json")
    assert {(item.label, item.scenario) for item in texts} == {("order_tea", "shop"), ("hours", "shop"), ("oos", None)}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_json_is_read_in_the_encoding_of_the_file(tmp_path, encoding):
    path = tmp_path / "corpus.json"
    path.write_bytes('{"locale": "de", "data": [{"intent": "bye", "utterances": ["tschüß"]}]}'.encode(encoding))
    (item,) = read("nlpjs", Export(RawFile(path.name, path), (), encoding, Options()))
    assert item.text == "tschüß"


def test_damaged_bytes_affect_only_their_text(tmp_path):
    path = tmp_path / "corpus.json"
    path.write_bytes(b'{"locale": "de", "data": [{"intent": "bye", "utterances": ["tsch\xfc\xdf", "bis bald"]}]}')
    damaged, good = read("nlpjs", Export(RawFile(path.name, path), (), "utf-8-sig", Options()))
    assert (is_damaged(damaged.text), good.text) == (True, "bis bald")
