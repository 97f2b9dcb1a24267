"""Replicate's Python client 1.0.7, unmodified, against a real server process."""

import asyncio
import io
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import replicate
from PIL import Image
from replicate.exceptions import ModelError, ReplicateError
from replicate.helpers import FileOutput
from replicate.pagination import paginate
from replicate.webhook import Webhooks

from tests.contract.api.conftest import RunningServer, wait_until
from tests.contract.api.faulty_proxy import faulty_proxy
from tests.contract.api.gate import Gate
from tests.contract.api.listening import webhook_receiver
from tests.contract.api.test_wavespeed_python import data_uri

EDIT = "qwen/qwen-image-edit"
PLUS = "qwen/qwen-image-edit-plus"
TWO = "qwen/qwen-image-2"
CAT: dict[str, Any] = {"prompt": "a cat"}
ANY = "overpaint/qwen-image-2.0"
_OPEN: list[replicate.Client] = []


@pytest.fixture(autouse=True)
def closed_clients() -> Iterator[None]:
    """Every client of a test is closed after it."""
    yield
    while _OPEN:
        _OPEN.pop()._client.close()


def sdk(server: RunningServer, url: str | None = None, key: str | None = None, **options: Any) -> Any:
    base_url = f"{url or server.url}/replicate"
    client = replicate.Client(api_token=key or server.key, base_url=base_url, trust_env=False, **options)
    client.poll_interval = 0.05
    _OPEN.append(client)
    return client


def picture_of(output: object) -> Image.Image:
    assert isinstance(output, FileOutput), output
    return Image.open(io.BytesIO(output.read()))


@pytest.fixture
def file(png: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "red apple.png"
    path.write_bytes(png)
    return path


def test_1_an_open_file_is_uploaded_and_the_output_is_a_list_of_files(server: RunningServer, file: Path) -> None:
    with faulty_proxy(server.url, []) as proxy, file.open("rb") as stream:
        outputs = sdk(server, proxy.url).run(
            EDIT, input={"prompt": "make it blue", "image": stream, "output_format": "png"}
        )
    assert [line.split("?")[0] for line in proxy.seen] == [
        "POST /replicate/v1/files",
        f"POST /replicate/v1/models/{EDIT}/predictions",
    ]
    assert [picture_of(output).format for output in outputs] == ["PNG"]


def test_2_paths_in_a_list_may_be_sent_as_base64(server: RunningServer, file: Path) -> None:
    with faulty_proxy(server.url, []) as proxy:
        asked = {"prompt": "both", "image": [file, file], "aspect_ratio": "1:1"}
        (output,) = sdk(server, proxy.url).run(PLUS, input=asked, file_encoding_strategy="base64")
    assert proxy.posts == 1
    assert (picture_of(output).format, picture_of(output).size) == ("WEBP", (1024, 1024))


def test_3_a_job_longer_than_the_wait_is_starting_and_then_polled(
    server: RunningServer, impatient: RunningServer, gate: Gate
) -> None:
    client = sdk(server)
    prediction = client.models.predictions.create(model=TWO, input={"prompt": gate.words}, wait=1)
    assert (prediction.status, prediction.output) == ("starting", None)
    assert client.predictions.get(prediction.id).status in ("starting", "processing")
    assert picture_of(sdk(impatient).run(TWO, input=CAT)).size[0] > 0


@pytest.mark.parametrize("name", [TWO, ANY, PLUS])
def test_4_a_version_can_be_named_and_read(server: RunningServer, name: str, png: bytes) -> None:
    client = sdk(server)
    version = client.models.get(name).latest_version
    assert version.id in [one.id for one in client.models.get(name).versions.list()]
    schema = version.openapi_schema["components"]["schemas"]
    assert "prompt" in schema["Input"]["properties"]
    assert schema["Output"]["type"] == ("string" if name == TWO else "array")
    image = {"image": [data_uri(png)]} if name == PLUS else {}
    output = client.run(f"{name}:{version.id}", input=CAT | image)
    assert picture_of(output if name == TWO else output[0]).size[0] > 0


def test_4_a_version_that_is_not_here_is_refused(server: RunningServer) -> None:
    with pytest.raises(ReplicateError, match="invalid or not permitted") as caught:
        sdk(server).predictions.create(version="0" * 64, input=CAT)
    assert caught.value.status == 422


def test_5_without_waiting_it_is_polled_and_tells_its_progress(server: RunningServer, gate: Gate) -> None:
    client = sdk(server)
    asked = {"prompt": gate.words, "seed": 7}
    prediction = client.models.predictions.create(model=ANY, input=asked, wait=False)
    assert prediction.status in ("starting", "processing")
    assert prediction.version
    gate.open()
    prediction.wait()
    assert (prediction.status, prediction.input) == ("succeeded", asked)
    assert prediction.logs.startswith("Using seed: 7\n")
    assert (prediction.progress.percentage, prediction.progress.current) == (1.0, 20)
    assert prediction.metrics["predict_time"] > 0
    assert client.run(TWO, input=CAT, wait=False)


def test_6_a_webhook_is_the_prediction_signed_with_the_served_secret(server: RunningServer) -> None:
    client = sdk(server)
    with webhook_receiver() as hook:
        made = client.models.predictions.create(
            model=TWO, input=CAT, webhook=hook.url, webhook_events_filter=["completed"]
        )
        headers, body = hook.first()
    secret = client.webhooks.default.secret()
    Webhooks.validate(headers=headers, body=body.decode(), secret=secret, tolerance=60)
    with pytest.raises(ValueError, match="signature"):
        Webhooks.validate(headers=headers, body=body.decode() + " ", secret=secret)
    told = json.loads(body)
    assert (told["id"], told["status"], told["input"]["prompt"]) == (made.id, "succeeded", "a cat")
    with pytest.raises(ReplicateError, match="webhook_events_filter"):
        client.models.predictions.create(
            model=TWO, input=CAT, webhook="https://example.com/", webhook_events_filter=["logs"]
        )


def test_7_a_cancelled_prediction_ends_as_canceled_and_runs_into_none(telltale: RunningServer, gate: Gate) -> None:
    client = sdk(telltale, key=telltale.new_key())
    held = {"prompt": gate.words}
    prediction = client.models.predictions.create(model=ANY, input=held)
    prediction.cancel()
    assert (prediction.status, prediction.output, prediction.error) == ("canceled", None, None)
    canceller = threading.Thread(target=_cancel_the_first, args=(sdk(telltale, key=client._api_token),))
    canceller.start()
    assert client.run(ANY, input=held) is None
    canceller.join()


def _cancel_the_first(client: Any) -> None:
    def is_open(prediction: Any) -> bool:
        return prediction.status in ("starting", "processing")

    wait_until(lambda: any(map(is_open, client.predictions.list())))
    next(filter(is_open, client.predictions.list())).cancel()


@pytest.mark.parametrize(
    ("name", "asked", "says"),
    [
        (TWO, {}, "input: prompt is required"),
        (EDIT, CAT, "input: image is required"),
        (TWO, CAT | {"aspect_ratio": "7:3"}, "aspect_ratio: '7:3' must be one of"),
        (ANY, CAT | {"num_inference_steps": 0}, "num_inference_steps: 0 must be"),
        (ANY, CAT | {"strength": 0.5}, "strength: 0.5 cannot be honoured"),
        ("qwen/qwen-image", CAT | {"lora_weights": "a/b"}, "lora_weights: 'a/b' is not an adapter of this server"),
    ],
)
def test_8_bad_input_is_422_and_says_what(server: RunningServer, name: str, asked: dict[str, Any], says: str) -> None:
    with pytest.raises(ReplicateError) as caught:
        sdk(server).run(name, input=asked)
    assert (caught.value.status, caught.value.title) == (422, "Input validation failed")
    assert says in str(caught.value.detail)


def test_9_a_failure_of_the_model_is_a_model_error(telltale: RunningServer) -> None:
    with pytest.raises(ModelError, match="on fire"):
        sdk(telltale).run(TWO, input={"prompt": "break the engine"})


def test_10_a_stream_has_logs_then_the_output_then_its_end(server: RunningServer) -> None:
    events = list(sdk(server).stream(TWO, input=CAT))
    kinds = [event.event.value for event in events]
    assert (kinds[0], kinds[-2:]) == ("logs", ["output", "done"])
    assert set(kinds[:-2]) == {"logs"}
    assert picture_of(events[-2].data).size == (1024, 1024)
    ids = [event.id for event in events]
    assert len(set(ids)) == len(ids)


def test_10_a_streams_link_needs_no_key_and_no_other_works(telltale: RunningServer) -> None:
    url = sdk(telltale).models.predictions.create(model=TWO, input={"prompt": "break the engine"}).urls["stream"]
    with pytest.raises(RuntimeError, match="on fire"):
        list(sdk(telltale).stream(TWO, input={"prompt": "break the engine"}))
    trusted = ssl.create_default_context(cafile=telltale.certificate)
    with httpx.Client(verify=trusted, trust_env=False) as bare:
        assert "event: done" in bare.get(url).text
        assert bare.get(url.replace("signature=", "signature=0")).status_code == 401
        assert bare.get(url.partition("?")[0]).status_code == 401


def test_11_the_asynchronous_run_is_the_same(server: RunningServer, file: Path) -> None:
    async def run() -> list[bytes]:
        client = replicate.Client(api_token=server.key, base_url=f"{server.url}/replicate", trust_env=False)
        with file.open("rb") as stream:
            outputs = cast(
                "list[FileOutput]", await client.async_run(EDIT, input={"prompt": "make it blue", "image": stream})
            )
        found = [await output.aread() for output in outputs]
        await client._async_client.aclose()
        return found

    (data,) = asyncio.run(run())
    assert Image.open(io.BytesIO(data)).format == "WEBP"


def test_12_predictions_are_listed_page_by_page(server: RunningServer) -> None:
    key = server.new_key()
    client = sdk(server, key=key)
    made = [client.models.predictions.create(model=ANY, input=CAT | {"num_inference_steps": 1}) for _ in range(3)]
    pages = list(paginate(client.predictions.list))
    assert [one.id for page in pages for one in page] == [one.id for one in reversed(made)]
    assert pages[0].next is None
    made[-1].wait()
    with server.client(key) as http:
        first = http.get("/v1/predictions").json()["results"][0]
    assert first["output"][0].startswith(f"{server.url}/files/")


def test_over_https_outputs_are_links(telltale: RunningServer) -> None:
    output = sdk(telltale).run(TWO, input=CAT)
    assert output.url.startswith("https://")
    assert picture_of(output).size == (1024, 1024)


def test_a_deployment_is_its_model(server: RunningServer) -> None:
    prediction = sdk(server).deployments.predictions.create(("qwen", "qwen-image-2"), input=CAT, wait=True)
    assert (prediction.status, prediction.model) == ("succeeded", TWO)


@pytest.mark.parametrize("prefix", ["", "/replicate"])
def test_a_deployment_is_found_and_used(server: RunningServer, prefix: str) -> None:
    client: Any = replicate.Client(api_token=server.key, base_url=f"{server.url}{prefix}", trust_env=False)
    _OPEN.append(client)
    deployment = client.deployments.get(TWO)
    assert deployment.current_release.version == client.models.get(TWO).latest_version.id
    assert deployment.id in [one.id for one in client.deployments.list()]
    prediction = deployment.predictions.create(input=CAT)
    prediction.wait()
    assert (prediction.status, prediction.model) == ("succeeded", TWO)
    with pytest.raises(ReplicateError) as caught:
        client.deployments.get("qwen/nothing")
    assert caught.value.status == 404


def test_models_are_listed_searched_and_found_where_openais_are_too(server: RunningServer) -> None:
    client = replicate.Client(api_token=server.key, base_url=server.url, trust_env=False)
    _OPEN.append(client)
    names = [model.id for model in client.models.list()]
    assert {TWO, EDIT, ANY} <= set(names)
    assert [model.id for model in client.models.search("edit-plus")] == [PLUS, "overpaint/qwen-image-edit-plus"]
    assert client.models.get(TWO).visibility == "public"
    assert client.accounts.current().username
    assert client.hardware.list()[0].sku == "cpu"
    collection = client.collections.list()[0]
    assert TWO in [model.id for model in client.collections.get(collection.slug)]
    with pytest.raises(ReplicateError) as caught:
        client.models.get("qwen/nothing")
    assert caught.value.status == 404


def test_files_are_listed_read_and_forgotten_where_openais_are_too(
    server: RunningServer, file: Path, png: bytes
) -> None:
    client = replicate.Client(api_token=server.key, base_url=server.url, trust_env=False)
    _OPEN.append(client)
    stored = client.files.create(file, metadata={"shop": 7})
    assert (stored.name, stored.content_type, stored.size) == ("red_apple.png", "image/png", len(png))
    assert stored.metadata == {"shop": 7}
    assert client.files.get(stored.id).checksums == stored.checksums
    assert httpx.get(stored.urls["download"], trust_env=False).content == png
    assert stored.id in [one.id for one in client.files.list()]
    assert client.files.delete(stored.id)
    with pytest.raises(ReplicateError, match="not a file of this key"):
        client.run(EDIT, input=CAT | {"image": stored.urls["get"]})


def test_the_older_kind_of_token_works(server: RunningServer) -> None:
    headers = {"Authorization": f"Token {server.key}"}
    answer = httpx.get(f"{server.url}/v1/account", headers=headers, trust_env=False)
    assert answer.status_code == 200


def test_a_prediction_is_asked_for_again_after_503_and_a_submission_never(server: RunningServer) -> None:
    key = server.new_key()
    with faulty_proxy(server.url, ["refused"]) as proxy:
        with pytest.raises(ReplicateError) as caught:
            sdk(server, proxy.url, key).run(TWO, input=CAT)
        assert (caught.value.status, proxy.posts) == (503, 1)
    with faulty_proxy(server.url, ["lost answer"]) as proxy:
        with pytest.raises(httpx.RemoteProtocolError):
            sdk(server, proxy.url, key).run(TWO, input=CAT)
        assert proxy.posts == 1
    with faulty_proxy(server.url, ["refused", "refused"], method="GET") as proxy:
        (prediction,) = sdk(server, proxy.url, key).predictions.list()
        assert len(proxy.seen) == 3
    with server.client(key) as http:
        assert [task["id"] for task in http.get("/overpaint/v1/tasks").json()["tasks"]] == [prediction.id]
