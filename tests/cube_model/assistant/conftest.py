"""An assistant of an invented support desk, on a tiny encoder."""

import shutil

import pytest

from cube_model.assistant.assistant import DialogueAssistant
from cube_model.assistant.build import build_assistant
from cube_model.assistant.config import AssistantConfig
from support.assistant_fixtures import save_encoder, write_faq


@pytest.fixture(scope="session")
def tiny_encoder(once):
    return once("assistant-encoder", save_encoder)


@pytest.fixture(scope="session")
def built(once, tiny_encoder, tmp_path_factory):
    """The folder of an assistant; not to be changed."""

    def make(folder):
        faq = write_faq(folder.with_name("desk.csv"), with_product=True)
        config = AssistantConfig(own=[str(faq)], encoder=str(tiny_encoder), language="en")
        build_assistant(config, folder)

    return once("assistant", make)


@pytest.fixture
def folder(built, tmp_path):
    """A copy of the assistant, to be changed."""
    return shutil.copytree(built, tmp_path / "desk")


@pytest.fixture
def assistant(folder):
    return DialogueAssistant.from_pretrained(folder)
