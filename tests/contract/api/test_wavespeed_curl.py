"""The two curl commands of WaveSpeed's model page, as they are printed there, with only the host changed."""

import json
import os
import subprocess

import pytest

from tests.contract.api.conftest import RunningServer
from tests.contract.api.test_wavespeed_python import data_uri

SUBMIT = """curl --location --request POST "https://api.wavespeed.ai/api/v3/wavespeed-ai/qwen-image-2.0/edit" \\
--header "Content-Type: application/json" \\
--header "Authorization: Bearer ${WAVESPEED_API_KEY}" \\
--data-raw '{
"seed": -1
}'"""
RESULT = """curl --location --request GET "https://api.wavespeed.ai/api/v3/predictions/${requestId}/result" \\
--header "Authorization: Bearer ${WAVESPEED_API_KEY}\""""


def run(server: RunningServer, command: str, host: str, **variables: str) -> dict[str, object]:
    command = command.replace("https://api.wavespeed.ai", host)
    environment = os.environ | {"WAVESPEED_API_KEY": server.key, "no_proxy": "*"} | variables
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(params=["", "/wavespeed"])
def host(server: RunningServer, request: pytest.FixtureRequest) -> str:
    return server.url + request.param


def test_the_printed_input_lacks_what_the_page_calls_required_and_is_told_so(server: RunningServer, host: str) -> None:
    """The page prints its form's state before anything is filled in: a seed, no pictures, no prompt."""
    answer = run(server, SUBMIT, host)
    assert answer["code"] == 400
    assert answer["message"] == "prompt: is required"


def test_with_the_form_filled_in_both_commands_work(server: RunningServer, host: str, png: bytes) -> None:
    filled = SUBMIT.replace('"seed": -1', f'"images": ["{data_uri(png)}"], "prompt": "make it blue", "seed": -1')
    submitted = run(server, filled, host)
    assert submitted["code"] == 200
    data = submitted["data"]
    assert isinstance(data, dict)
    got = run(server, RESULT, host, requestId=str(data["id"]))
    assert got["code"] == 200
    assert isinstance(got["data"], dict)
    assert got["data"]["id"] == data["id"]
