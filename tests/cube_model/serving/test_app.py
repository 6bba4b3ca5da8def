"""What the server answers: replies, embeddings, plain refusals, a page; and what it never tells."""

import base64
import json
import logging
import shutil
import time

import numpy as np
import pytest

from cube_model.assistant.assistant import DialogueAssistant
from cube_model.assistant.changes import add_pair
from cube_model.serving.app import make_app
from cube_model.serving.config import ServeConfig
from cube_model.serving.messages import http_error
from cube_model.serving.service import Service
from support.served_assistant import FAQ, AppClient

TOKEN = "a-token-of-20-letters"
SECRET = "my secret is Zanzibar"


@pytest.fixture(scope="module")
def assistant(small_assistant, tmp_path_factory):
    """The assistant, in a copy that may change."""
    folder = tmp_path_factory.mktemp("copy") / "assistant"
    shutil.copytree(small_assistant, folder)
    return DialogueAssistant.from_pretrained(folder, device="cpu")


@pytest.fixture
def serve(assistant):
    """Make a client of an application with options and a token."""
    services = []

    def serve(token=None, **options):
        services.append(Service(assistant, ServeConfig(assistant="any", **options)))
        return AppClient(make_app(services[-1], {"localhost", "desk.example"}, token))

    yield serve
    for service in services:
        service.close()


@pytest.fixture(scope="module")
def ask(assistant):
    """A client of the application with its defaults."""
    service = Service(assistant, ServeConfig(assistant="any", max_texts=8, max_chars=300, max_bytes=4096))
    yield AppClient(make_app(service, {"localhost"}))
    service.close()


def refusal(response):
    """The status and the message of a refusal; checks its form."""
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert set(error) == {"message", "type"}
    assert "Traceback" not in error["message"]
    return response.status_code, error["message"]


def test_a_reply_has_answers_with_their_origin(ask, assistant):
    response = ask("POST", "/reply", json={"text": "Can I bring my dog?", "k": 2.0, "context": ["Hello"]})
    assert response.status_code == 200
    reply = response.json()
    assert reply["is_known"] is True
    assert len(reply["answers"]) == 2
    first = reply["answers"][0]
    assert (first["text"], first["question"]) == ("Dogs are welcome in all rooms.", "Can I bring my dog?")
    assert (first["language"], first["license"], first["metadata"]) == (
        "en",
        "LicenseRef-private",
        {"floor": "floor 0"},
    )
    assert reply["confidence"] == first["confidence"] == assistant.reply("Can I bring my dog?").confidence
    assert reply["version"] == assistant.version
    assert set(reply["topics"][0]) == {"name", "similarity"}


def test_requests_at_the_same_time_get_their_own_answers(ask):
    questions = list(FAQ) * 3
    responses = ask.all([("POST", "/reply", {"json": {"text": question, "k": 1}}) for question in questions])
    assert [r.json()["answers"][0]["question"] for r in responses] == questions


def test_intents_are_those_of_the_assistant(ask, assistant):
    texts = ["Can I bring my dog?", "When is breakfast?", "§ § §"]
    responses = ask.all([("POST", "/intent", {"json": {"text": text}}) for text in texts])
    for response, intent in zip(responses, assistant.intent_many(texts), strict=True):
        content = response.json()
        assert (content["label"], content["is_out_of_scope"]) == (intent.label, intent.is_out_of_scope)
        assert content["probability"] == pytest.approx(intent.probability, abs=1e-5)
    assert [response.json()["label"] for response in responses[:2]] == ["animals", "food"]


def test_where_selects_answers(ask):
    for where, texts in (
        ({"language": "de"}, {"Gibt es Frühstück?", "Darf mein Hund mit?"}),
        ({"metadata.floor": ["floor 1"]}, list(FAQ)[1::3]),
    ):
        reply = ask("POST", "/reply", json={"text": "breakfast", "where": where, "k": 100}).json()
        assert {answer["question"] for answer in reply["answers"]} <= set(texts)
        assert reply["answers"]
    status, message = refusal(ask("POST", "/reply", json={"text": "breakfast", "where": {"langage": "de"}}))
    assert status == 422
    assert message == "`where`: expected the keys language, source, license, dialogue_id, or metadata.KEY"
    status, message = refusal(ask("POST", "/reply", json={"text": "breakfast", "where": {"language": "ru"}}))
    assert status == 404
    assert message.startswith("no answer with language=ru; there is language: de, en")


def test_new_answers_are_there_without_a_restart(ask, assistant):
    before = ask("POST", "/reply", json={"text": "Do you sell umbrellas?"}).json()
    assert add_pair(assistant.folder, "Do you sell umbrellas?", "At the desk.", "en") == 1
    after = ask("POST", "/reply", json={"text": "Do you sell umbrellas?"}).json()
    assert after["answers"][0]["text"] == "At the desk."
    assert after["version"] == before["version"] + 1
    assert f"dialogue_cube_answers_version {after['version']:.1f}" in ask("GET", "/metrics").text


@pytest.mark.parametrize("path", ["/embed", "/v1/embeddings"])
def test_embeddings_have_the_shape_of_openai(ask, assistant, path):
    texts = ["hello", "Привет"]
    content = ask("POST", path, json={"input": texts, "model": "tiny"}).json()
    assert [each["index"] for each in content["data"]] == [0, 1]
    vectors = np.array([each["embedding"] for each in content["data"]], np.float32)
    assert np.array_equal(vectors, assistant.embed(texts))
    encoded = ask("POST", path, json={"input": texts[0], "encoding_format": "base64"}).json()["data"][0]["embedding"]
    assert np.allclose(np.frombuffer(base64.b64decode(encoded), "<f4"), vectors[0], atol=1e-6)
    assert ask("GET", "/v1/models").json()["data"][0]["id"] == content["model"] == "tiny"


@pytest.mark.parametrize(
    ("path", "content", "status", "message"),
    [
        ("/reply", {"text": ""}, 422, "`text`: expected a text that is not empty"),
        ("/reply", {"text": " \n"}, 422, "`text`: expected a text, found only blanks"),
        ("/reply", {"text": "long" * 100}, 422, "expected texts of at most 300 characters, found one of 400"),
        ("/reply", {"text": 3}, 422, "`text`: expected a text"),
        ("/reply", {}, 422, "`text` is missing"),
        ("/reply", {"text": "a", "contxt": []}, 422, "`contxt` unknown; see /docs for the keys"),
        ("/reply", {"text": "a", "context": "b"}, 422, "`context`: expected a list"),
        ("/reply", {"text": "a", "context": ["b", None]}, 422, "`context[1]`: expected a text"),
        ("/reply", {"text": "a", "context": ["b"] * 8}, 422, "expected at most 8 texts in a request, found 9"),
        ("/reply", {"text": "a", "k": 0}, 422, "`k`: input should be greater than or equal to 1"),
        ("/reply", {"text": "a", "k": True}, 422, "`k`: expected a whole number"),
        ("/reply", {"text": "a", "where": {f"metadata.{n}": "x" for n in range(17)}}, 422, "`where`: expected at most 16 keys, found 17"),
        ("/reply", {"text": "a", "where": {"source": ["x"] * 101}}, 422, "at most 100 items"),
        ("/reply", {"text": "a", "where": ["de"]}, 422, "`where`: expected an object"),
        ("/reply", {"text": "a", "where": {"language": 3}}, 422, "`where.language`: expected a text; `where.language`: expected a list"),
        ("/reply", ["a"], 422, "expected an object as JSON; see /docs for its keys"),
        ("/embed", {"input": []}, 422, "`input`: expected a text that is not blank, or a list of at least one"),
        ("/embed", {"input": ["a", ""]}, 422, "`input`: expected a text that is not blank, or a list of at least one"),
        ("/embed", {"input": ["a"] * 9}, 422, "expected at most 8 texts in a request, found 9"),
        ("/embed", {"input": [[5, 6]]}, 422, "check_embedding_ctx_length=False"),
        ("/embed", {"input": "a", "model": "ada"}, 404, "this server has only the encoder 'tiny'"),
        ("/embed", {"input": "a", "dimensions": 8}, 422, "the encoder 'tiny' has 16"),
        ("/embed", {"input": "a", "encoding_format": "hex"}, 422, "`encoding_format`: input should be 'float' or 'base64'"),
        ("/embed", {"input": "a" * 5000}, 413, "expected a request of at most 4096 bytes"),
        ("/nowhere", {}, 404, "no such path; this server has /reply"),
    ],
)  # fmt: skip
def test_invalid_requests_are_refused_in_plain_words(ask, path, content, status, message):
    refused, said = refusal(ask("POST", path, json=content))
    assert refused == status
    assert message in said


def test_a_path_that_a_server_lacks_is_explained():
    without_intents, encoder_alone = (str(http_error(404, None, paths)) for paths in (["/reply", "/embed"], ["/embed"]))
    assert "; /intent needs an assistant that was built with --intents" in without_intents
    assert "/reply needs" not in without_intents
    assert "; /reply needs an assistant; /intent" in encoder_alone


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b'{"text": ', 422, "not JSON (from character 9)"),
        (b'{"text": "\xff"}', 400, "not JSON in UTF-8"),
        (b'{"text": "\\ud83d"}', 422, "half of a character"),
        (b'{"\\ud83d": 1, "text": "a"}', 422, "a key has half of a character"),
        (b'{"text": "a", "where": {"\\ud83d": "x"}}', 422, "`where`: expected the keys"),
        (b'{"text": "a", "where": {"language": "\\ud83d"}}', 404, "no answer with language=\\ud83d"),
        (b"[" * 4000, 400, "nested too deeply"),
        (b'{"text": "a", "k": 1' + b"0" * 4000 + b"}", 422, "`k`: input should be less than or equal to 100"),
        (b'{"text": "a", "k": NaN}', 422, "`k`: expected a whole number"),
        (b"", 422, "expected an object as JSON"),
    ],
)
def test_bodies_that_are_no_json_are_refused(ask, body, status, message):
    refused, said = refusal(ask("POST", "/reply", content=body, headers={"Content-Type": "application/json"}))
    assert (refused, message in said) == (status, True), said


def test_a_body_that_is_too_large_is_not_read_to_its_end(ask):
    async def endless():
        for number in range(100):
            assert number < 10
            yield b" " * 1024

    headers = {"Content-Type": "application/json"}
    status, message = refusal(ask("POST", "/reply", content=endless(), headers=headers))
    assert (status, "at most 4096 bytes" in message) == (413, True)


def test_other_methods_types_and_names_are_refused(ask):
    response = ask("GET", "/reply")
    assert refusal(response) == (405, "this path takes POST; see /docs")
    assert response.headers["allow"] == "POST"
    assert refusal(ask("POST", "/health")) == (405, "this path takes GET; see /docs")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp"):  # a form of a foreign page
        response = ask("POST", "/reply", content=b'{"text": "a"}', headers={"Content-Type": kind})
        assert refusal(response)[0] == 415
    assert refusal(ask("GET", "/health", headers={"Host": "evil.example"}))[0] == 421


def test_only_clients_with_the_token_may_ask(serve):
    ask = serve(token=TOKEN)
    for header in ({}, {"Authorization": "Bearer a-token-of-20-lettert"}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}):  # fmt: skip
        for path in ("/reply", "/embed", "/v1/models", "/metrics", "/nowhere"):
            response = ask("POST", path, json={"text": "a"}, headers=header)
            assert refusal(response)[0] == 401
            assert response.headers["www-authenticate"] == "Bearer"
    assert ask("POST", "/embed", json={"input": "a"}, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert ask("GET", "/health", headers={"Host": "DESK.example:80"}).json() == {"status": "ok"}
    schema = ask("GET", "/openapi.json").json()
    assert schema["security"] == [{"token": []}]
    assert schema["paths"]["/health"]["get"]["security"] == []
    request = schema["components"]["schemas"]["EmbeddingsRequest"]["properties"]
    assert request["dimensions"]["anyOf"][0] == {"const": 16}
    assert request["input"]["anyOf"][1]["maxItems"] == 128
    assert "Authorization: Bearer TOKEN" in ask("GET", "/docs").text


def test_no_text_of_a_user_is_logged_or_counted(serve, caplog):
    ask = serve(timeout=0.3, max_wait_ms=1000)
    requests = [
        ("POST", "/reply", {"json": {"text": SECRET}}),
        ("POST", "/reply", {"json": {SECRET: SECRET}}),
        ("POST", "/embed", {"json": {"input": [SECRET, 3], "model": SECRET}}),
        ("GET", f"/{SECRET}", {"params": {"q": SECRET}}),
        ("POST", "/reply", {"content": f'{{"text": "{SECRET}', "headers": {"Content-Type": "application/json"}}),
    ]
    with caplog.at_level(logging.DEBUG):
        statuses = [response.status_code for response in ask.all(requests)]
    assert statuses == [504, 422, 422, 404, 422]
    lines = [record.getMessage() for record in caplog.records if record.name.startswith(("cube_model", "fastapi"))]
    assert any("/reply 504" in line for line in lines)
    assert not any("Zanzibar" in line for line in [*lines, ask("GET", "/metrics").text])


def test_metrics_count_requests_batches_and_replies(serve):
    ask = serve()
    ask("POST", "/reply", json={"text": "Can I bring my dog?"})
    ask("POST", "/embed", json={"input": ["a", "b", "c"]})
    ask("GET", "/secret")
    deadline, lines = time.monotonic() + 10, []
    while "dialogue_cube_batch_texts_sum 4.0" not in lines and time.monotonic() < deadline:  # counted after the answer
        lines = ask("GET", "/metrics").text.splitlines()
    for line in (
        'dialogue_cube_requests_total{path="/reply",status="200"} 1.0',
        'dialogue_cube_requests_total{path="other",status="404"} 1.0',
        'dialogue_cube_request_seconds_count{path="/embed"} 1.0',
        "dialogue_cube_batch_texts_sum 4.0",
        'dialogue_cube_replies_total{is_known="true"} 1.0',
        "dialogue_cube_waiting_texts 0.0",
    ):
        assert line in lines


def test_a_full_queue_gets_429(serve):
    ask = serve(queue=4, max_texts=4, max_batch=1)
    responses = ask.all([("POST", "/embed", {"json": {"input": ["a", "b", "c", "d"]}})] * 3)
    assert sorted(response.status_code for response in responses) == [200, 429, 429]
    assert {r.headers.get("retry-after", "").isdigit() for r in responses if r.status_code == 429} == {True}


def test_the_page_loads_nothing_from_elsewhere(ask):
    response = ask("GET", "/docs")
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert "POST /reply" in response.text
    assert not any(word in response.text for word in ("<script", "http://", "https://", "<link", "<img"))


def test_an_unexpected_error_is_no_stack_trace(assistant, ask, monkeypatch, caplog):
    def fail(texts):
        raise RuntimeError(SECRET)

    service = Service(assistant, ServeConfig(assistant="any"))
    monkeypatch.setattr(service, "embed", fail)
    status, message = refusal(AppClient(make_app(service, {"localhost"}))("POST", "/embed", json={"input": "a"}))
    service.close()
    assert (status, message) == (500, "internal error; the log of the server names its place")
    assert "RuntimeError at" in caplog.text
    assert "Zanzibar" not in caplog.text


def test_a_damaged_assistant_is_the_servers_fault(small_assistant, tmp_path, caplog):
    folder = tmp_path / "assistant"
    shutil.copytree(small_assistant, folder)
    service = Service(DialogueAssistant.from_pretrained(folder, device="cpu"), ServeConfig(assistant="any"))
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
    ask = AppClient(make_app(service, {"localhost"}))
    status, message = refusal(ask("POST", "/reply", json={"text": "a"}))
    service.close()
    assert (status, str(folder) in message, str(folder) in caplog.text) == (500, False, True)
