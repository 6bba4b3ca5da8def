"""A small assistant of a hotel, on a tiny encoder with random weights, and its application on a test client."""

import asyncio
import csv

import httpx2
import pytest

from support.tiny_teacher import save_tiny_distilbert

FAQ = {
    "Can I bring my dog?": "Dogs are welcome in all rooms.",
    "When is breakfast?": "From seven to ten.",
    "Do you have parking?": "There is a free garage below the house.",
    "How do I pay?": "By card at the desk or in the app.",
    "Is there a gym?": "Yes: on the second floor.",
    "Can I check out late?": "Until noon at no charge.",
    "Is there wifi?": "The network is called hotel.",
    "Where can I swim?": "The pool is on the roof.",
    "How far is the station?": "Five minutes on foot.",
    "Can I cancel?": "Free of charge until the day before.",
    "Gibt es Frühstück?": "Von sieben bis zehn.",
    "Darf mein Hund mit?": "Hunde sind in allen Zimmern willkommen.",
}


def write_faq(path, rows=FAQ):
    """Write questions and answers as CSV, with a column `floor` of metadata and a language."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["question", "answer", "language", "floor"])
        for number, (question, answer) in enumerate(rows.items()):
            is_german = "ü" in question or question.startswith("Darf")
            table.writerow([question, answer, "de" if is_german else "en", f"floor {number % 3}"])
    return path


INTENTS = {
    "animals": ["Can I bring my dog?", "Is my cat allowed?", "May my dog sleep in the room?", "Do you take pets?"],
    "food": ["When is breakfast?", "Do you serve dinner?", "Is lunch included?", "What is there for breakfast?"],
}
"""Label -> its utterances."""


def build_small_assistant(folder):
    """Build the assistant in a folder."""
    from cube_model.assistant.build import build_assistant
    from cube_model.assistant.config import AssistantConfig
    from cube_model.intents.head import IntentHead
    from cube_model.teacher.teacher import Teacher

    parts = folder.with_name("parts-of-assistant")
    encoder = save_tiny_distilbert(parts / "tiny", dimension=16)
    teacher = Teacher.load(encoder, device="cpu")
    texts, labels = zip(*((text, label) for label, texts in INTENTS.items() for text in texts), strict=True)
    IntentHead.fit(teacher.encode(texts), labels, encoder=teacher.describe()).save(parts / "intents")
    faq = write_faq(parts / "faq.csv")
    config = AssistantConfig(own=[str(faq)], encoder=str(encoder), intents=str(parts / "intents"))
    build_assistant(config, folder)


@pytest.fixture(scope="session")
def small_assistant(once):
    """Folder of the assistant; tests that change it copy it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        return once("served-assistant", build_small_assistant)


class AppClient:
    """Requests to an ASGI application, without a network.

    Args:
        app: The application.
    """

    def __init__(self, app):
        self.app = app

    def __call__(self, method, path, **options):
        return self.all([(method, path, options)])[0]

    def all(self, requests):
        """Send requests at the same time; returns their responses."""

        async def main():
            transport = httpx2.ASGITransport(app=self.app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await asyncio.gather(*(client.request(m, path, **options) for m, path, options in requests))

        return asyncio.run(main())
