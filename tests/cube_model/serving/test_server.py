"""The process of the server: clients of other libraries, the network, and the end."""

import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import psutil
import pytest

from cube_model.errors import ModelError
from cube_model.serving.config import TOKEN_VARIABLE, ServeConfig, read_token
from cube_model.serving.server import address_of, listen
from support.serving import free_port, serving
from support.tiny_teacher import save_tiny_distilbert

TOKEN = "a-token-of-20-letters"
SERVE = [sys.executable, "-c", "import dialogue_cube; dialogue_cube.main()", "serve"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return save_tiny_distilbert(tmp_path_factory.mktemp("encoder") / "tiny", dimension=16)


@pytest.fixture(scope="module")
def server(encoder, tmp_path_factory):
    """A server of the encoder with a token: its port and its log. Requests wait a moment for others.

    One for all tests, since a start takes seconds; the last test ends it.
    """
    folder = tmp_path_factory.mktemp("server")
    (folder / "token").write_text(TOKEN + "\n")
    port = free_port()
    options = [
        "--port",
        str(port),
        "--token-file",
        folder / "token",
        "--timeout",
        "3",
        "--dtype",
        "float32",
        "--max-bytes",
        "4096",
        "--max-wait-ms",
        "300",
    ]
    with serving([*SERVE, "--encoder", encoder, *options], port, "/health", folder / "log"):
        yield port, folder / "log"


def post(port, path, content, **headers):
    """Send JSON; returns the status and the JSON of the answer."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}", **headers}
    request = urllib.request.Request(f"http://localhost:{port}{path}", json.dumps(content).encode(), headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def send(port, *parts, pause=0.0):
    """Send bytes over a connection; returns all that comes back."""
    with socket.create_connection(("localhost", port), timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def head(length, *lines):
    names = ["POST /embed HTTP/1.1", "Host: localhost", f"Authorization: Bearer {TOKEN}", *lines]
    return "\r\n".join([*names, "Content-Type: application/json", f"Content-Length: {length}", "", ""]).encode()


def test_the_client_of_openai_works_as_it_is(server, encoder):
    import openai

    from cube_model.teacher.teacher import Teacher

    port, _ = server
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=TOKEN, max_retries=0)
    texts = ["Can I bring my dog?", "Wann gibt es Frühstück?"]
    (name,) = [model.id for model in client.models.list()]
    answer = client.embeddings.create(model=name, input=texts)  # asks for base64
    vectors = np.array([each.embedding for each in answer.data])
    assert np.allclose(vectors, Teacher.load(encoder, device="cpu").encode(texts), atol=1e-5)
    with pytest.raises(openai.NotFoundError, match="only the encoder 'tiny'"):
        client.embeddings.create(model="text-embedding-3-small", input=texts)
    with pytest.raises(openai.UnprocessableEntityError, match="check_embedding_ctx_length=False"):
        client.embeddings.create(model=name, input=[[1, 2]])
    with pytest.raises(openai.AuthenticationError, match="Bearer TOKEN"):
        client.with_options(api_key="another-token-of-20").models.list()


def test_an_encoder_alone_has_no_replies(server):
    port, _ = server
    status, answer = post(port, "/reply", {"text": "a"})
    assert (status, answer["error"]["type"]) == (404, "not_found")
    assert "this server has /embed" in answer["error"]["message"]


def test_a_request_that_does_not_arrive_gets_408(server):
    port, _ = server
    answer = send(port, head(100), b'{"input": ')
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"did not arrive within 3 s" in answer
    assert b"connection: close" in answer.lower()


def test_a_client_that_leaves_is_forgotten(server):
    port, log = server
    with socket.create_connection(("localhost", port)) as connection:
        connection.sendall(head(100) + b"{")
    deadline = time.monotonic() + 20
    while "/embed 499" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert post(port, "/embed", {"input": "still there?"})[0] == 200


def test_what_is_no_http_is_refused(server):
    port, log = server
    assert send(port, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert send(port, head(10**12)).startswith(b"HTTP/1.1 413")
    assert post(port, "/embed", {"input": "my secret is Zanzibar"}, Host="evil.example")[0] == 421
    assert post(port, "/embed", {"input": "my secret is Zanzibar"}, Authorization="Bearer wrong")[0] == 401
    assert post(port, "/embed?q=Zanzibar", {"input": "my secret is Zanzibar"})[0] == 200
    assert "POST /embed 200" in log.read_text()
    assert "Zanzibar" not in log.read_text()
    assert TOKEN not in log.read_text()


def test_an_address_in_use_is_told_before_the_encoder_is_loaded(tmp_path):
    with listen("127.0.0.1", 0) as opened:
        port = opened.getsockname()[1]
        assert address_of(opened) == f"http://127.0.0.1:{port}"
        with pytest.raises(ModelError, match=rf"cannot listen on 127.0.0.1:{port} \(Address already in use\); pass"):
            listen("127.0.0.1", port)
    with pytest.raises(ModelError, match=r"cannot listen on no-such-host.invalid:0"):
        listen("no-such-host.invalid", 0)
    with pytest.raises(ModelError, match=r"cannot listen on 192.0.2.1:0 \(Cannot assign requested address\)"):
        listen("192.0.2.1", 0)


def test_the_network_may_ask_only_with_a_token(tmp_path, monkeypatch):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    for host in ("127.0.0.1", "localhost", "::1"):
        assert read_token(ServeConfig(encoder="minilm", host=host)) is None
    for host in ("0.0.0.0", "::", "10.0.0.1", "desk.example"):
        with pytest.raises(ModelError, match="the network may ask, so clients need a token: pass --token-file"):
            read_token(ServeConfig(encoder="minilm", host=host))
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert read_token(ServeConfig(encoder="minilm", host="0.0.0.0")) == TOKEN
    file = tmp_path / "token"
    for content in (b"short", b"with blanks in it, long", b"\xff" * 20, b""):
        file.write_bytes(content)
        with pytest.raises(ModelError, match=r"openssl rand -hex 32") as refused:
            read_token(ServeConfig(encoder="minilm", token_file=file))
        assert "blanks" not in str(refused.value)  # a token is never printed
    with pytest.raises(ModelError, match=r"--token-file .*nowhere: cannot be read \(No such file"):
        read_token(ServeConfig(encoder="minilm", token_file=tmp_path / "nowhere"))


def test_serve_says_what_to_install_and_where_files_must_be(tmp_path, monkeypatch):
    from cube_model.serving import command

    with pytest.raises(ModelError, match=r"--unanswered .*file: its folder does not exist; create it first"):
        command.serve.__wrapped__(ServeConfig(assistant="any", unanswered=tmp_path / "missing" / "file"))
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"run: pip install 'dialogue-cube\[serve\]'"):
        command.serve.__wrapped__(ServeConfig(encoder="minilm"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "serve: pass either --assistant"),
        ({"assistant": "a", "encoder": "b"}, "serve: pass either --assistant"),
        ({"encoder": "b", "max_texts": 300}, "max_texts 300: the queue holds 256 texts"),
        ({"encoder": "b", "timeout": 0}, "timeout: expected a number above 0"),
        ({"encoder": "b", "port": 70000}, "port: expected a whole number from 0 to 65535"),
        ({"encoder": "b", "unanswered": "file"}, "unanswered: only an assistant"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ModelError, match=message):
        ServeConfig(**options)


def test_sigterm_answers_what_waits(server):
    """The last test, since it ends the server of the others."""
    port, log = server
    answers = []
    asking = threading.Thread(target=lambda: answers.append(post(port, "/embed", {"input": "a"})))
    asking.start()
    time.sleep(0.1)  # the request waits for others
    os.kill(server_process(port), signal.SIGTERM)
    asking.join(60)
    assert answers[0][0] == 200
    for _ in range(600):
        try:
            socket.create_connection(("localhost", port)).close()
            time.sleep(0.1)
        except OSError:
            break
    else:
        pytest.fail("the server does not end")
    assert "ERROR" not in log.read_text()


def server_process(port):
    """The process that listens on a port."""
    (process,) = [c.pid for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr.port == port]
    return process
