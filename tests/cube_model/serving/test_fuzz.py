"""Whatever is sent, the answer is JSON with a status that the OpenAPI schema lists, and never an internal error.

`schemathesis` over the same schema takes half a minute, so it is run by hand:

    dialogue-cube serve --assistant A &
    schemathesis run http://127.0.0.1:8000/openapi.json --checks all
"""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cube_model.assistant.assistant import DialogueAssistant
from cube_model.serving.app import make_app
from cube_model.serving.config import ServeConfig
from cube_model.serving.service import Service
from support.served_assistant import AppClient

KEYS = ["text", "context", "where", "k", "input", "model", "dimensions", "encoding_format"]
CHARACTERS = st.characters(codec="utf-8")
TEXTS = st.text(CHARACTERS, max_size=20) | st.sampled_from(
    ["Can I bring my dog?", "tiny", "base64", " ", "\ufeff", "\ud83d"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**30) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*KEYS, "language", "metadata.a"]) | TEXTS, inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "text": TEXTS | VALUES,
        "context": st.lists(TEXTS, max_size=3) | VALUES,
        "where": st.dictionaries(st.sampled_from(["language", "source", "metadata.floor"]), TEXTS | st.lists(TEXTS)) | VALUES,
        "k": st.integers(-1, 101) | VALUES,
        "input": st.lists(TEXTS, max_size=4) | VALUES,
    },
)  # fmt: skip
BODIES = st.binary(max_size=40) | (VALUES | NEARLY).map(lambda value: as_json(value))


def as_json(value):
    return json.dumps(value).encode()


@pytest.fixture(scope="module")
def ask(small_assistant):
    service = Service(DialogueAssistant.from_pretrained(small_assistant, device="cpu"), ServeConfig(assistant="any"))
    yield AppClient(make_app(service, {"localhost"}))
    service.close()


@pytest.fixture(scope="module")
def listed(ask):
    """Path -> statuses that the schema lists."""
    paths = ask("GET", "/openapi.json").json()["paths"]
    return {path: {int(status) for status in methods["post"]["responses"]} for path, methods in paths.items() if "post" in methods}  # fmt: skip


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(bodies=st.lists(BODIES, min_size=4, max_size=4))
def test_no_body_breaks_the_server(ask, listed, bodies):
    assert sorted(listed) == ["/embed", "/intent", "/reply", "/v1/embeddings"]
    headers = {"Content-Type": "application/json"}
    requests = [("POST", path, {"content": body, "headers": headers}) for path, body in zip(listed, bodies, strict=True)]  # fmt: skip
    for path, response in zip(listed, ask.all(requests), strict=True):
        assert response.status_code in listed[path] - {500, 503, 504}
        content = response.json()
        assert ("error" in content) == (response.status_code != 200)
        if "error" in content:
            assert content["error"]["message"]
