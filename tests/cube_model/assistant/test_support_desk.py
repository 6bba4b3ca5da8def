"""A support desk's FAQ end to end with real encoders: what it answers, and what it refuses."""

import csv

import pytest

from cube_model import DialogueAssistant
from cube_model.assistant.build import build_assistant
from cube_model.assistant.config import AssistantConfig
from cube_model.teacher.find import teachers_folder
from support.assistant_fixtures import ENGLISH, write_faq, write_russian_faq
from support.russian_faq import FAQ as RUSSIAN

HOTEL = [
    ("Can I bring my dog?", "Dogs are welcome in all rooms."),
    ("When is breakfast?", "From seven to ten."),
    ("Do you have parking?", "There is a free garage below the house."),
    ("How do I pay?", "By card at the desk or in the app."),
    ("Is there a gym?", "Yes: on the second floor."),
    ("Can I check out late?", "Until noon at no charge."),
]

ASKED = {
    "how do i restart my router": 0,
    "can I send back what I bought?": 1,
    "when do you deliver my parcel": 2,
    "do you take credit cards": 3,
    "i don't know my wifi password": 4,
    "what's your telephone number": 5,
}
"""Question -> the answer of `ENGLISH`, by its number."""

FOREIGN = [
    "What is the capital of France?",
    "Who wrote Don Quixote?",
    "Book a flight to Lisbon.",
    "How do I bake sourdough bread?",
    "Is it raining in Oslo?",
    "Tell me about black holes.",
]

RUSSIAN_FOREIGN = [
    "Какая столица у Португалии?",
    "Кто написал «Войну и мир»?",
    "Как выучить японский?",
    "Сыграем в шахматы?",
    "Какая завтра погода?",
    "Сколько стоит билет до Казани?",
    "Расскажи анекдот.",
    "Как испечь хлеб дома?",
    "Кто выиграл чемпионат мира?",
    "Какой сейчас курс доллара?",
    "Забронируй столик на вечер.",
    "Поставь будильник на семь утра.",
    "Где можно починить телефон?",
    "Сколько планет в Солнечной системе?",
    "Переведи слово «окно» на английский.",
    "Как записаться к врачу?",
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    root = tmp_path_factory.mktemp("desk")
    config = AssistantConfig(own=[str(write_faq(root / "desk.csv"))], language="en")
    return DialogueAssistant.from_pretrained(build_assistant(config, root / "assistant"))


def test_a_support_desk_answers_what_it_can(desk):
    answers = list(ENGLISH)
    for question, number in ASKED.items():
        reply = desk.reply(question)
        assert reply.is_known, question
        assert reply.answers[0].text == answers[number]


def test_a_support_desk_refuses_what_it_cannot_answer(desk):
    for question in FOREIGN:
        reply = desk.reply(question)
        assert not reply.is_known, question
        assert len(reply.topics) == 3


def test_a_hotel_with_one_question_for_each_answer(tmp_path):
    with (tmp_path / "hotel.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("question", "answer"), *HOTEL])
    config = AssistantConfig(own=[str(tmp_path / "hotel.csv")], language="en")
    hotel = DialogueAssistant.from_pretrained(build_assistant(config, tmp_path / "assistant"))
    assert hotel.info["calibration"]["guarantee"] is None
    assert hotel.reply("May my cat come along?").answers[0].text == "Dogs are welcome in all rooms."
    assert hotel.reply("where can I leave my car").is_known
    assert not any(hotel.reply(question).is_known for question in FOREIGN)


@pytest.mark.slow
def test_a_russian_desk(tmp_path):
    if not any((teachers_folder() / name / "config.json").is_file() for name in ("me5", "multilingual-e5")):
        pytest.skip(f"teacher me5 not in {teachers_folder()}; make it with make_teachers.py DEST me5")
    config = AssistantConfig(
        own=[str(write_russian_faq(tmp_path / "faq.csv"))], language="ru", encoder="multilingual-e5"
    )
    desk = DialogueAssistant.from_pretrained(build_assistant(config, tmp_path / "assistant"))
    asked = [(question, answer) for answer, (_, paraphrases) in RUSSIAN.items() for question in paraphrases]
    replies = [desk.reply(question) for question, _ in asked]
    right = sum(reply.answers[0].text == answer for reply, (_, answer) in zip(replies, asked, strict=True))
    assert right / len(asked) > 0.8
    assert sum(reply.is_known for reply in replies) / len(asked) > 0.8
    assert sum(not desk.reply(question).is_known for question in RUSSIAN_FOREIGN) >= 11  # 12; 14 with --max-refused .2
