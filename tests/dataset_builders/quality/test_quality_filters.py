"""Each filter finds its hits and ignores near misses."""

import json

import numpy as np
import pyarrow as pa
import pytest

from dataset_builders.quality.filters import FILTERS
from dataset_builders.quality.filters.base import Rows
from dataset_builders.quality.filters.conflicting_labels import ConflictingLabels
from dataset_builders.quality.filters.dialogue_length import DialogueLength
from dataset_builders.quality.filters.empty_dialogue import EmptyDialogue
from dataset_builders.quality.filters.encoding import Encoding
from dataset_builders.quality.filters.glued_sentences import GluedSentences
from dataset_builders.quality.filters.markup import Markup
from dataset_builders.quality.filters.one_sided import OneSided
from dataset_builders.quality.filters.pair_length import PairLength
from dataset_builders.quality.filters.personal_data import PersonalData, is_card_number, personal_spans
from dataset_builders.quality.filters.relatedness import Relatedness
from dataset_builders.quality.filters.repeated_turns import RepeatedTurns
from dataset_builders.quality.filters.utterance_length import UtteranceLength
from dataset_builders.quality.filters.wrong_language import WrongLanguage
from support.quality_rows import dialogues, pairs, turn, utterances

HITS = [
    # glued sentences
    (GluedSentences, "That is all I want.Thank you", "want.Thank"),
    (GluedSentences, "Any other wish?Tell me!", "wish?Tell"),
    (GluedSentences, "Ok.Thanks.Bye!", "Thanks.Bye"),
    (GluedSentences, "Das ist alles.Danke schön!", "alles.Danke"),
    (GluedSentences, "Вот и всё.Спасибо большое", "всё.Спасибо"),
    (GluedSentences, "Was it good?it was", "good?it"),
    # markup
    (Markup, "Tea &amp; cake", "&amp;"),
    (Markup, "one<br/>two", "<br/>"),
    (Markup, '<a href="x">menu</a>', '<a href="x">'),
    (Markup, "It&#39;s open", "&#39;"),
    (Markup, "<!-- hidden --> text", "<!--"),
    (Markup, "It is ready.\\r", "\\r"),
    (Markup, "Erste Zeile. \\n Zweite", "\\n"),
    # encoding
    (Encoding, "CafÃ© MÃ¼ller ist offen", "reads: Café Müller ist offen"),
    (Encoding, "Iâ€™d like tea", "reads: I’d like tea"),
    (Encoding, "РџСЂРёРІРµС‚, РєР°Рє РґРµР»Р°?", "reads: Привет, как дела?"),
    (Encoding, "ÐŸÑ€Ð¸Ð²ÐµÑ‚", "reads: Привет"),
    (Encoding, "tea \ufffd cake", "U+FFFD"),
    (Encoding, "bell\x07 rings", "U+0007"),
    (Encoding, "???????? ???? ?", "???????? ???? ?"),
    # length
    (UtteranceLength, "word " * 201, "201 words"),
    (UtteranceLength, "x" * 2001, "2001 characters"),
    (UtteranceLength, "茶" * 401, "201 words"),
]

NEAR_MISSES = [
    (GluedSentences, "Open until 5 p.m. The price is 3.50, e.g. for tea."),
    (GluedSentences, "See www.example.com or http://example.org/page?Query=tea or Example.Com"),
    (GluedSentences, "Mrs.Miller lives at No.5, St.Petersburg, in Washington D.C.The sign says so"),
    (GluedSentences, "a room at Arc The.Hotel in town"),
    (GluedSentences, "hit?とはどんなアプリですか"),
    (GluedSentences, "z.B. heute, bzw.Morgen, Nr.Zwei ... Danke"),
    (GluedSentences, "Он живёт на ул.Ленина, т.е. рядом, в г.Москва"),
    (GluedSentences, "What?! No... really."),
    (GluedSentences, "write to Jo.Miller@example.org"),
    (Markup, "I <3 it, under < 20 pounds, 5 > 3, <name>, R&B; soul & tea"),
    (Markup, "open C:\\new and \\reports\\tea"),
    (Markup, "Anything else>"),
    (Encoding, "São Paulo, naïve café, À la carte, Ångström, «Ёлка…» — да. Я…"),
    (Encoding, "Weiß… Größe »Café« – CAFÉ… ÜBER"),
    (Encoding, "Ну а Россия»? Вот Р. С. и ГОСТ №5"),
    (Encoding, "What??? Really?? tab\there"),
    (UtteranceLength, "word " * 200),
]


def values(check, text):
    return check().hits(pa.array(["Good morning!", text])).values.to_pylist()


@pytest.mark.parametrize(("check", "text", "value"), HITS)
def test_text_filter_hits(check, text, value):
    hits = check().hits(pa.array(["Good morning!", text]))
    assert hits.rows.tolist() == [1]
    assert hits.values.to_pylist() == [value]


@pytest.mark.parametrize(("check", "text"), NEAR_MISSES)
def test_text_filter_near_misses(check, text):
    assert values(check, text) == []


def find(check, config, table, encoder=None):
    """Row -> value of the only flag."""
    (findings,) = check.find(Rows.of(config, table, encoder)).values()
    return dict(zip(findings.rows.tolist(), findings.values.to_pylist(), strict=True))


def test_a_text_flags_its_row_by_the_first_hit():
    table = dialogues(["fine.Yes", "ok"], ["hello"], ["hi", "done.Bye now", "want.Thank"])
    assert find(GluedSentences(), "dialogues", table) == {0: "fine.Yes", 2: "done.Bye"}
    table = pairs(("tea please", "here"), ("tea", "want.Thank"), ("fine.Yes", "want.Thank"))
    assert find(GluedSentences(), "pairs", table) == {1: "want.Thank", 2: "fine.Yes"}


def test_dialogue_length():
    table = dialogues(["hi"], ["hi", "hello"], [], ["a", "b"] * 100, ["a"] * 201)
    assert find(DialogueLength(), "dialogues", table) == {0: "1 turns", 4: "201 turns"}


def test_empty_dialogue():
    assert find(EmptyDialogue(), "dialogues", dialogues(["hi"], [])) == {1: "0 empty turns"}


def test_one_sided():
    table = dialogues([turn("hi"), turn("hi?")], ["hi", "hello"], [], [turn("hi", "system")])
    assert find(OneSided(), "dialogues", table) == {
        0: "only the user speaks, 2 turns",
        3: "only the system speaks, 1 turns",
    }


def test_pair_length_is_exclusive_and_counts_both_sides():
    table = pairs(("one two three four", "a b c d"), ("one two three", "a b c d"), ("one two three four", "yes"))
    assert find(PairLength(), "pairs", table) == {1: "3 words: one two three", 2: "1 words: yes"}
    assert find(PairLength(min_words=0), "pairs", table) == {}
    assert find(PairLength(min_words=1), "pairs", table) == {2: "1 words: yes"}


def test_pair_length_of_scripts_without_blanks():
    table = pairs(
        ("附近有便宜的酒店吗？", "有，我推荐这家。"),
        ("你好", "有什么可以帮您？"),
        ("안녕하세요", "무엇을 도와 드릴까요"),
    )
    assert find(PairLength(), "pairs", table) == {1: "1 words: 你好", 2: "1 words: 안녕하세요"}


def test_repeated_turns():
    again = "Which city do you want to fly from?"
    table = dialogues(
        ["hi", again, "Paris.", again.upper()],  # the system repeats itself
        ["May I have one more cup of tea?", "may i have one more cup of tea"],  # a duplicated record
        ["Are there any other hotels in town?", "Yes, two.", "Are there any other hotels in town?"],  # a user may
        ["Thank you, good bye!", "Thank you, good bye!"],
        ["tea", again],
        [again],  # the next row starts anew
    )
    assert find(RepeatedTurns(), "dialogues", table) == {0: again.upper(), 1: "may i have one more cup of tea"}
    table = pairs(("Thank you!", "thank  you"), ("Thank you!", "You are welcome"))
    assert find(RepeatedTurns(), "pairs", table) == {0: "thank  you"}


GERMAN = "Ich suche ein günstiges Restaurant im Norden der Stadt, bitte mit einer Terrasse."
ENGLISH = "There are two restaurants in the north of town, would you like the cheaper one?"
RUSSIAN = "Здравствуйте, я хотел бы заказать столик на двоих сегодня вечером, у окна."


@pytest.mark.parametrize(
    ("language", "texts", "value"),
    [
        ("de", [GERMAN, ENGLISH], "system speaks en"),
        ("de-DE", [GERMAN, "Ja, es gibt zwei davon im Norden der Stadt, beide haben eine Terrasse."], None),
        ("en", [RUSSIAN, ENGLISH], "user speaks ru"),
        ("ru-RU", [RUSSIAN, RUSSIAN], None),
        ("en", ["Bonjour!", ENGLISH], None),  # too short to judge
        ("und", [GERMAN, ENGLISH], None),
        ("tlh", [GERMAN, ENGLISH], None),  # a language unknown to py3langid
        ("en", ["ein ", *[ENGLISH] * 3], None),
    ],
)
def test_wrong_language(language, texts, value):
    values = find(WrongLanguage(), "dialogues", dialogues(["hi", "hello"], texts, language=language))
    assert [v[: len(value or "")] for v in values.values()] == ([value] if value else [])
    assert list(values) == ([1] if value else [])


def test_wrong_language_of_pairs_and_utterances():
    table = pairs((GERMAN, ENGLISH), (GERMAN, GERMAN), language="de")
    assert list(find(WrongLanguage(), "pairs", table)) == [0]
    table = utterances(GERMAN, ENGLISH, "tea", language="de")
    assert list(find(WrongLanguage(), "downstream", table)) == [1]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("mail jo.doe+x@mail.example.org now", ["jo.doe+x@mail.example.org"]),
        ("it is jo at example dot com", ["jo at example dot com"]),
        ("call +44 1223 000 111", ["+44 1223 000 111"]),
        ("call 01223 000111 or (415) 555-0199.", ["01223 000111", "(415) 555-0199"]),
        ("Meine Nummer: 0171 5550199, danke", ["0171 5550199"]),
        ("мой номер +7 (912) 555-01-99", ["+7 (912) 555-01-99"]),
        ("звоните 8 912 555-01-99", ["8 912 555-01-99"]),
        ("card 4111 1111 1111 1111 please", ["4111 1111 1111 1111"]),
        ("4111 1111 1111 1112", []),  # wrong check digit
        ("4111 1111 1111 1116", []),
        ("on 12/03/2019, 2020-01-15 and 4/5/2018 - 4/10/2018", []),
        ("1532 20th Street, 34050 20th Avenue, room 101-102", []),
        ("square root of 1243435, account 20905432, train TR0123456789", []),
        ("150.000 руб, 1,250,000 dollars, 0.00000001, 1994-2009, at 07:29 @ 20:30", []),
        ("five @ noon, a@b", []),
    ],
)
def test_personal_spans(text, spans):
    assert [text[start:end] for start, end, _ in personal_spans(text)] == spans


def test_luhn():
    assert is_card_number("5555-5555-5555-4444")
    assert is_card_number("378282246310005")
    assert not is_card_number("0000000000000000")
    assert not is_card_number("79927398713")  # valid check digit, too short


def personal(config, table):
    matches = PersonalData().find(Rows.of(config, table))
    return {name: f.rows.tolist() for name, f in matches.items() if len(f.rows)}


def test_task_data_is_not_personal():
    number = "My number is 01223 000111, thanks"
    slot = {"domain": "shop", "slot": "phone", "value": "01223000111", "start": 13, "end": 25}
    state = turn("so?")
    state["annotations"]["state"] = [{"domain": "d", "intent": None, "slot": "phone", "values": ["01223 000 111"]}]
    table = dialogues(
        [number, "Thank you."],
        ["Which number?", "The number is 01223 000111."],
        ["The number?", "It is 01223000111.", "So 01223 000-111?"],
        [turn(number, slots=[slot]), "Done."],
        [number, turn("ok", "system"), state],
        ["My card is 4111 1111 1111 1111", "Paid."],
        ["Which card?", "We charged 4111 1111 1111 1111"],
        ["I am jo@example.org", "Thank you, jo2@example.org"],
        ["I am jo@example.org", "Thank you, jojo@example.org"],
        ["I am jo@example.org", "Thank you, <JO@Example.org>."],
        [number, "Room 5, number:01223-000 111."],
    )
    assert personal("dialogues", table) == {
        "personal_data:card": [5, 6],
        "personal_data:email": [7, 8],
        "personal_data:phone": [0],
    }


def test_task_data_of_pairs():
    context = [("system", "Their number is 01223 000111.")]
    asked = ("So it is 01223 000111, right?", "Right.")
    assert personal("pairs", pairs(asked)) == {"personal_data:phone": [0]}
    assert personal("pairs", pairs(asked, context=context)) == {}
    assert personal("pairs", pairs(asked[::-1])) == {}


MADE = {
    "dialogues": dialogues(["tea", "ok"], ["milk", "ok"], ["more", "tea"]),
    "pairs": pairs(("tea", "ok"), ("milk", "ok"), ("more", "tea")),
    "downstream": utterances("tea", "milk", "more"),
}


def test_masks_move_the_slots():
    text = "I am jo@example.org and want green tea"
    slots = [
        {"domain": None, "slot": "tea", "value": "green", "start": 29, "end": 34},
        {"domain": None, "slot": "who", "value": "jo", "start": 5, "end": 7},
        {"domain": None, "slot": "any", "value": "tea", "start": None, "end": None},
    ]
    table = dialogues(["tea", "ok"], [turn(text, slots=slots), "ok"], ["more", "tea"])
    rows = Rows.of("dialogues", table)
    masked = PersonalData("mask").mask(rows, table, PersonalData("mask").find(rows))
    assert masked.schema == table.schema
    assert masked.take([0, 2]) == table.take([0, 2])
    (first, _) = masked["turns"][1].as_py()
    assert first["text"] == "I am [EMAIL] and want green tea"
    (tea, who, _) = first["annotations"]["slots"]
    assert first["text"][tea["start"] : tea["end"]] == "green"
    assert (who["start"], who["end"]) == (None, None)


@pytest.mark.parametrize("config", MADE)
def test_personal_data_in_the_metadata_are_masked(config):
    table = MADE[config]
    private = {"from": ["Jo <jo@example.org>", None, True], "card": 4111111111111111, "jo@example.org": 7, "é": "é"}
    column = pa.array([None, '{"team": "tea"}', json.dumps(private, ensure_ascii=False)])
    table = table.set_column(table.schema.get_field_index("metadata"), table.schema.field("metadata"), column)
    rows = Rows.of(config, table)
    found = PersonalData("mask").find(rows)
    assert {name: hits.rows.tolist() for name, hits in found.items() if len(hits.rows)} == {
        "personal_data:card": [2],
        "personal_data:email": [2],
    }
    masked = PersonalData("mask").mask(rows, table, found)
    assert masked.take([0, 1]) == table.take([0, 1])
    assert json.loads(masked["metadata"][2].as_py()) == {
        **private,
        "from": ["Jo <[EMAIL]>", None, True],
        "card": "[CARD]",
    }


def test_conflicting_labels():
    table = utterances(
        "Cancel it", "cancel it!", "cancel that", "cancel it", labels=["order", "account", "order", "order"]
    )
    both = "shop/account, shop/order"
    assert find(ConflictingLabels(), "downstream", table) == {0: both, 1: both, 3: both}
    german = table.set_column(table.schema.get_field_index("language"), "language", pa.array(["en", "de", "en", "en"]))
    assert find(ConflictingLabels(), "downstream", german) == {}
    several = utterances("Cancel it", "cancel it!", "Go", "go", labels=["account+order", "order", "stay+go", "stay+go"])
    sets = "shop/account+order, shop/order"
    assert find(ConflictingLabels(), "downstream", several) == {0: sets, 1: sets}


class TwoWords:
    """The first axis for texts about tea, the second for all others; opposite for "not"."""

    def encode(self, texts):
        return np.array([[1, 0] if "tea" in t else [-1, 0] if "not" in t else [0, 1] for t in texts], np.float32)


def test_relatedness():
    table = pairs(("green tea", "black tea"), ("green tea", "a bus"), ("green tea", "not today"))
    assert find(Relatedness(), "pairs", table, TwoWords()) == {2: "-1.000"}
    assert find(Relatedness(min_cosine=0.5), "pairs", table, TwoWords()) == {1: "0.000", 2: "-1.000"}
    assert Relatedness().find(Rows.of("pairs", table)) == {}


def test_the_table_of_filters():
    """The config, the report and readers rely on these facts."""
    for name, check in FILTERS.items():
        assert check.name == name
        assert check.description.endswith(".")
        assert len(check.description) < 90
        assert "Example:" in check.__doc__
        assert "off" in check.actions
        assert check().action in check.actions
