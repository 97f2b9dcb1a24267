"""OpenAI's clients for Azure, unmodified: Python's 3.52.0, and npm's 7.55.0 run by node."""

import io
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AzureOpenAI

from tests.contract.api.conftest import RunningServer
from tests.contract.api.node import needs_npm
from tests.contract.api.test_openai_npm import node
from tests.contract.api.test_openai_python import picture_of

CAT: Any = {"prompt": "a cat", "size": "256x256", "extra_body": {"num_inference_steps": 4}}
VERSION = "2025-04-01-preview"


def azure(server: RunningServer, **options: Any) -> AzureOpenAI:
    usual: Any = {"azure_endpoint": server.url, "api_key": server.key, "max_retries": 0}
    return AzureOpenAI(api_version=VERSION, **(usual | options))


@pytest.mark.parametrize("deployment", [None, "gpt-image-1"])
def test_a_model_and_a_deployment_are_the_same(server: RunningServer, png: bytes, deployment: str | None) -> None:
    with azure(server, azure_deployment=deployment) as client:
        painted = client.images.generate(model="gpt-image-1", **CAT).data or []
        edited = client.images.edit(model="gpt-image-1", image=("a.png", io.BytesIO(png)), **CAT).data or []
        assert [picture_of(item).size for item in (*painted, *edited)] == [(256, 256)] * 2
        assert "gpt-image-1" in [model.id for model in client.models.list()]


def test_the_deployment_goes_before_the_model_in_the_body(server: RunningServer) -> None:
    with azure(server, azure_deployment="nothing") as client, pytest.raises(openai.NotFoundError) as caught:
        client.images.generate(model="gpt-image-1", **CAT)
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("options", "is_known"),
    [
        ({"api_key": None, "azure_ad_token": "KEY"}, True),
        ({"api_key": "op_wrong"}, False),
        ({"api_key": None, "azure_ad_token": "op_wrong"}, False),
    ],
)
def test_a_key_comes_in_either_header(server: RunningServer, options: dict[str, Any], is_known: bool) -> None:
    key = {name: server.key if value == "KEY" else value for name, value in options.items()}
    with azure(server, **key) as client:
        if is_known:
            assert client.images.generate(model="gpt-image-1", **CAT).data
            return
        with pytest.raises(openai.AuthenticationError):
            client.images.generate(model="gpt-image-1", **CAT)


def test_looks_are_streamed(server: RunningServer) -> None:
    with azure(server) as client:
        events = list(client.images.generate(model="gpt-image-1", stream=True, partial_images=1, **CAT))
    assert events[-1].type == "image_generation.completed"


@needs_npm
@pytest.mark.parametrize("deployment", [{}, {"deployment": "gpt-image-1"}])
def test_npms_client_paints_and_edits(
    server: RunningServer, png: bytes, tmp_path: Path, deployment: dict[str, str]
) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(png)
    asked = {"azure": {"endpoint": server.url, "apiVersion": VERSION, **deployment}, "model": "gpt-image-1"}
    painted = node(server.url, server.key, "generate", prompt="a cat", size="256x256", **asked)
    edited = node(server.url, server.key, "edit", prompt="a cat", size="256x256", files=[str(picture)], **asked)
    assert (painted["size"], edited["size"]) == ("256x256", "256x256")
