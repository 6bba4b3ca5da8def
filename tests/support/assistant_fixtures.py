"""Assistants for tests: a support desk's FAQ in English and Russian, on a tiny encoder."""

import csv
from pathlib import Path

from support.russian_faq import FAQ as RUSSIAN
from support.tiny_teacher import save_tiny_distilbert

ENGLISH = {
    "Hold the button for ten seconds until the light blinks.": (
        "How do I reset the router?",
        "The router needs a restart, what do I press?",
        "How can I reboot my router?",
        "My router hangs, how do I reset it?",
    ),
    "You can return it within thirty days with the receipt.": (
        "How do I return my order?",
        "Can I send the modem back?",
        "What is your return policy?",
        "I want to give it back and get my money.",
    ),
    "We deliver in two to four days.": (
        "How long does delivery take?",
        "When will my parcel arrive?",
        "How fast do you ship?",
        "When do I get my order?",
    ),
    "We take cards and bank transfers.": (
        "How can I pay?",
        "Do you accept credit cards?",
        "Which ways of payment are there?",
        "Can I pay by bank transfer?",
    ),
    "The password is printed on the label below the router.": (
        "Where do I find the wifi password?",
        "What is the password of my wifi?",
        "I forgot the key of the wireless network.",
        "Where is the network key written?",
    ),
    "Call 01632 960001 from eight to six.": (
        "How do I reach the support by phone?",
        "What is your phone number?",
        "Can I talk to a person?",
        "Which number do I call for help?",
    ),
}
"""Answer of an invented support desk -> its questions."""


def write_faq(file: Path, *, with_product: bool = False) -> Path:
    """Write the English FAQ as CSV."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["question", "answer", *(["product"] if with_product else [])])
        for answer, questions in ENGLISH.items():
            for question in questions:
                product = "router" if "router" in question.lower() else "shop"
                rows.writerow([question, answer, *([product] if with_product else [])])
    return file


def write_russian_faq(file: Path) -> Path:
    """Write the Russian FAQ as CSV."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["вопрос", "ответ"])
        rows.writerows((question, answer) for answer, (questions, _) in RUSSIAN.items() for question in questions)
    return file


def save_encoder(folder: Path) -> Path:
    """Save a tiny encoder."""
    return save_tiny_distilbert(folder, 32)
