"""Fixtures of the tests of own data."""

import json

import pytest

from dataset_builders.own_data import load
from dataset_builders.schema import Dialogue, Utterance


@pytest.fixture
def read(tmp_path):
    """File name, content -> turns of each dialogue, (text, label) of each intent, and rejected records."""

    def run(name, content, **options):
        path = tmp_path / name
        raw = content if isinstance(content, bytes | str) else json.dumps(content, ensure_ascii=False)
        path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
        events = []
        for event in load(path, **options):
            if isinstance(event, Dialogue):
                events.append([(turn.speaker, turn.text) for turn in event.turns])
            else:
                events.append((event.text, event.label) if isinstance(event, Utterance) else event)
        return events

    return run
