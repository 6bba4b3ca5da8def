"""What is behind an error that other libraries have wrapped, and how it is told."""

import httpx2
import pytest
from huggingface_hub.errors import HfHubHTTPError

from dataset_builders.common.patience import explain_fault, hub_fault, without_token


def answer(status, message="Not now"):
    response = httpx2.Response(status, request=httpx2.Request("GET", "http://127.0.0.1/it"))
    return HfHubHTTPError(message, response=response, server_message=message)


def test_the_answer_of_the_hub_is_looked_for_in_all_causes():
    fault = answer(503)

    def load():
        try:
            try:
                raise fault
            except HfHubHTTPError as error:
                raise OSError("We couldn't connect") from error
        except OSError:
            raise FileNotFoundError("no such dataset") from None

    with pytest.raises(FileNotFoundError) as caught:
        load()
    assert hub_fault(caught.value) is fault
    assert "keeps failing (503)" in explain_fault(caught.value, "org/it")
    assert explain_fault(ValueError("no such config"), "org/it") is None


@pytest.mark.parametrize("token", [None, "hf_secret"])
def test_a_401_means_the_token_or_the_name(monkeypatch, token):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: token)
    line = explain_fault(answer(401), "org/it")
    assert ("does not accept the token" in line) == bool(token)
    assert "`hf auth login`" in line
    refused = explain_fault(answer(418, "no tea for hf_secret"), "org/it")
    assert ("hf_secret" in refused) != bool(token)
    assert without_token("a hf_secret b") == ("a *** b" if token else "a hf_secret b")
