"""fal's Python client 1.0.3, unmodified, against a real server process; numbered as the facts about it are."""

import asyncio
import base64
import gc
import hashlib
import io
import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from PIL import Image

from tests.contract.api.conftest import PATIENCE_S, RunningServer, wait_until
from tests.contract.api.fal_client_at import fal_client, fal_client_at
from tests.contract.api.gate import Gate
from tests.contract.api.listening import listening, webhook_receiver
from tests.contract.api.test_wavespeed_python import data_uri

PAINT, EDIT, PRO = "fal-ai/qwen-image", "fal-ai/qwen-image-edit-plus", "fal-ai/qwen-image-2/pro/edit"
CAT = {"prompt": "a cat", "image_size": "square", "num_inference_steps": 4}
SLOW = CAT | {"num_inference_steps": 100}


@pytest.fixture
def fal(secure: RunningServer) -> Iterator[Any]:
    with fal_client(secure.url, secure.key) as client:
        yield client


def fetch(url: str) -> httpx.Response:
    return httpx.get(url, timeout=60)


def error_of(secure: RunningServer) -> type[Exception]:
    return fal_client_at(secure.url).FalClientHTTPError


def test_1_run_answers_with_the_documented_output(fal: Any) -> None:
    result = fal.run(PAINT, CAT)
    assert set(result) == {"images", "seed", "has_nsfw_concepts", "timings", "prompt"}
    (image,) = result["images"]
    assert (image["width"], image["height"], image["content_type"]) == (512, 512, "image/png")
    assert image["file_size"] == len(fetch(image["url"]).content)
    assert result["has_nsfw_concepts"] == [False]
    assert 0 < result["timings"]["inference"] < 10
    assert isinstance(result["timings"]["inference"], float)


def test_2_subscribe_sees_the_queue_the_work_and_the_end(
    secure: RunningServer, fal: Any, busy: Gate, tmp_path: Path
) -> None:
    module = fal_client_at(secure.url)
    own = Gate(tmp_path / "own")
    seen: list[Any] = []
    ids: list[str] = []

    def look(status: Any) -> None:
        """Each door is opened once the request was seen before it."""
        seen.append(status)
        (busy if isinstance(status, module.Queued) else own).open()

    asked = CAT | {"prompt": own.words}
    result = fal.subscribe(PAINT, asked, with_logs=True, on_queue_update=look, on_enqueue=ids.append)
    kinds = list(dict.fromkeys(type(status) for status in seen))
    assert kinds == [module.Queued, module.InProgress, module.Completed]
    assert isinstance(seen[0].position, int)
    assert isinstance(seen[-1].metrics["inference_time"], float)
    assert result == fal.result(PAINT, ids[0])


def test_3_status_result_and_cancel_go_by_owner_and_alias(secure: RunningServer, fal: Any, png: bytes) -> None:
    handle = fal.submit(PRO, {"prompt": "make it blue", "image_urls": [data_uri(png)], "image_size": "square"})
    assert handle.status_url.startswith(f"{secure.url}/fal/queue/fal-ai/qwen-image-2/requests/")
    assert isinstance(fal.status(PRO, handle.request_id), object)
    assert set(handle.get()) == {"images", "seed"}
    assert fal.result(PRO, handle.request_id)["images"][0]["width"] == 512
    with pytest.raises(error_of(secure)):
        fal.cancel(PRO, handle.request_id)


def test_4_logs_are_null_unless_asked_for_and_grow_where_they_are(secure: RunningServer, fal: Any, gate: Gate) -> None:
    handle = fal.submit(PAINT, CAT | {"prompt": gate.words})
    with secure.client() as http:

        def messages() -> list[str]:
            logs = http.get(handle.status_url, params={"logs": "true"}).json()["logs"] or []
            assert all(line.keys() == {"message", "level", "source", "timestamp"} for line in logs)
            return [line["message"] for line in logs]

        wait_until(lambda: "denoise: step 1 of 4" in messages())
        before = messages()
        gate.open()
        wait_until(lambda: http.get(handle.status_url).status_code == 200)
        after = messages()
        assert http.get(handle.status_url).json()["logs"] is None
    assert after[: len(before)] == before
    assert "denoise: step 4 of 4" in after[len(before) :]


@pytest.mark.usefixtures("busy")
def test_5_a_cancelled_request_is_completed_with_an_error(secure: RunningServer, fal: Any) -> None:
    module = fal_client_at(secure.url)
    handle = fal.submit(PAINT, CAT)
    handle.cancel()
    status = handle.status()
    assert (type(status), status.error_type) == (module.Completed, "client_cancelled")
    with pytest.raises(module.FalClientHTTPError) as caught:
        handle.get()
    assert (caught.value.status_code, caught.value.error_type) == (499, "client_cancelled")
    with pytest.raises(module.FalClientHTTPError) as caught:
        handle.cancel()
    assert caught.value.status_code == 400


def test_6_a_missing_prompt_is_422_at_once_or_where_the_result_is(secure: RunningServer, fal: Any) -> None:
    module = fal_client_at(secure.url)
    with pytest.raises(module.FalClientHTTPError) as now:
        fal.run(PAINT, {"seed": 1})
    handle = fal.submit(PAINT, {"seed": 1})
    status = handle.status()
    assert (type(status), status.error_type) == (module.Completed, "missing")
    with pytest.raises(module.FalClientHTTPError) as later:
        handle.get()
    for error in (now.value, later.value):
        assert error.status_code == 422
        assert error.message[0]["loc"] == ["body", "prompt"]
        assert (error.message[0]["type"], error.message[0]["msg"]) == ("missing", "Field required")
    assert now.value.message == later.value.message


def num_tasks(secure: RunningServer) -> int:
    with secure.client() as http:
        return len(http.get("/overpaint/v1/tasks", params={"limit": 100}).json()["tasks"])


@contextmanager
def bad_day(secure: RunningServer, faults: list[int | None]) -> Iterator[tuple[Any, list[str]]]:
    """The client on a bad network, and everything that it sends.

    Args:
        secure: the server.
        faults: what befalls its first requests: a status that somebody in between answers, or None for an answer that
            never arrives although the server works on it.
    """
    seen: list[str] = []
    left = list(faults)
    real = httpx.HTTPTransport.handle_request

    def handle(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.method} {request.url.path}")
        fault = left.pop(0) if left else 200
        if fault is None:
            request.extensions["timeout"]["read"] = 0.3
        elif fault != 200:
            return httpx.Response(fault, json={"detail": "not now"}, request=request)
        return real(self, request)

    with pytest.MonkeyPatch.context() as patch, fal_client(secure.url, secure.key) as client:
        patch.setattr(httpx.HTTPTransport, "handle_request", handle)
        yield client, seen


def test_7_a_wrong_key_is_told_once_and_429_is_asked_again(secure: RunningServer) -> None:
    with fal_client(secure.url, "op_wrong") as stranger, pytest.raises(error_of(secure)) as caught:
        stranger.run(PAINT, CAT)
    assert caught.value.status_code == 401  # pyright: ignore[reportAttributeAccessIssue]
    before = num_tasks(secure)
    with bad_day(secure, [429, 429, 429]) as (client, seen):
        handle = client.submit(PAINT, CAT)
        assert seen == ["POST /fal/queue/fal-ai/qwen-image"] * 4
        handle.get()
    assert num_tasks(secure) == before + 1


def test_7_an_answer_that_is_lost_is_asked_for_again_and_painted_once(secure: RunningServer) -> None:
    before = num_tasks(secure)
    with bad_day(secure, [None]) as (client, seen):
        assert client.run(PAINT, SLOW)["images"]
    assert len(seen) == 2
    assert num_tasks(secure) == before + 1


def test_7_so_is_one_that_is_lost_while_the_request_is_still_being_accepted(secure: RunningServer, png: bytes) -> None:
    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(1)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(png)

        def log_message(self, format: str, *args: Any) -> None: ...

    before = num_tasks(secure)
    with listening(Slow) as url, bad_day(secure, [None]) as (client, seen):
        asked = {"prompt": "make it blue", "image_urls": [f"{url}/a.png"], "num_inference_steps": 2}
        assert client.submit(EDIT, asked).get()["images"]
    assert seen[:2] == ["POST /fal/queue/fal-ai/qwen-image-edit-plus"] * 2
    assert num_tasks(secure) == before + 1


def test_7_503_is_told_at_once_and_nothing_was_accepted(secure: RunningServer) -> None:
    before = num_tasks(secure)
    with bad_day(secure, [503]) as (client, seen):
        with pytest.raises(error_of(secure)):
            client.submit(PAINT, CAT)
        assert len(seen) == 1
    assert num_tasks(secure) == before


@pytest.mark.usefixtures("busy")
def test_8_what_is_not_started_in_time_is_504_and_not_asked_again(secure: RunningServer) -> None:
    with bad_day(secure, []) as (client, seen):
        with pytest.raises(error_of(secure)) as caught:
            client.run(PAINT, CAT, start_timeout=1.2)
        error: Any = caught.value
        assert error.status_code == 504
        assert error.response_headers["x-fal-request-timeout-type"] == "user"
        assert len(seen) == 1
        handle = client.submit(PAINT, CAT, start_timeout=1.2)
        with pytest.raises(error_of(secure)) as caught:
            handle.get()
        assert caught.value.error_type == "request_timeout"  # pyright: ignore[reportAttributeAccessIssue]


def test_a_request_is_treated_as_its_headers_and_query_ask(secure: RunningServer, fal: Any) -> None:
    kept = {"X-Fal-Object-Lifecycle-Preference": '{"expiration_duration_seconds": 1}'}
    handle = fal.submit(PAINT, CAT, priority="low", headers=kept)
    with secure.client() as http:
        assert http.get(f"/overpaint/v1/tasks/{handle.request_id.replace('-', '')}").json()["priority"] == "batch"
    url = handle.get()["images"][0]["url"]
    wait_until(lambda: fetch(url).status_code == 403)


@pytest.mark.usefixtures("busy")
def test_a_queue_is_as_long_as_its_caller_wants(secure: RunningServer, fal: Any) -> None:
    waiting = fal.submit(PAINT, CAT)
    with secure.client() as http:
        answer = http.post(f"/fal/queue/{PAINT}", params={"fal_max_queue_length": 1}, json=CAT)
    waiting.cancel()
    assert answer.status_code == 429
    assert answer.json()["detail"].startswith("1 requests wait already")


def test_a_key_of_two_parts_and_the_asynchronous_client_work(secure: RunningServer) -> None:
    async def subscribe() -> dict[str, Any]:
        client = fal_client_at(secure.url).AsyncClient(key=f"anything:{secure.key}")
        try:
            return await client.subscribe(PAINT, CAT)
        finally:
            await (await client._client).aclose()

    assert asyncio.run(subscribe())["images"][0]["width"] == 512


def test_9_a_stream_tells_steps_and_ends_with_the_output(fal: Any) -> None:
    events = list(fal.stream(PAINT, CAT))
    assert {"progress"} <= {event.get("type") for event in events}
    assert events[-1]["images"][0]["width"] == 512
    with pytest.raises(Exception, match="application/json"):
        list(fal.stream(PAINT, {"seed": 1}))


def test_10_sync_mode_is_a_data_uri_and_jpeg_is_jpeg(fal: Any) -> None:
    url = fal.run(PAINT, CAT | {"sync_mode": True})["images"][0]["url"]
    assert url.startswith("data:image/png;base64,")
    image = fal.run(PAINT, CAT | {"output_format": "jpeg"})["images"][0]
    assert image["content_type"] == "image/jpeg"
    assert fetch(image["url"]).content.startswith(b"\xff\xd8\xff")


@pytest.fixture
def proxied(secure: RunningServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The client with its own hosts, all of them led here by the proxy: only its environment differs."""
    monkeypatch.setenv("HTTPS_PROXY", secure.proxy)
    with fal_client("", secure.key) as client:
        yield client
    gc.collect()  # while `LEAKS` holds


LEAKS = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:unclosed:ResourceWarning")
"""The client does not close the connections that it uploads by."""


@LEAKS
@pytest.mark.parametrize("options", [{}, {"repository": "fal"}])
def test_11_an_upload_is_usable_as_a_picture(proxied: Any, png: bytes, tmp_path: Path, options: dict[str, Any]) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png)
    for url in (proxied.upload(png, "image/png", **options), proxied.upload_file(file, **options)):
        assert fetch(url).content == png
        result = proxied.subscribe(EDIT, {"prompt": "make it blue", "image_urls": [url], "num_inference_steps": 2})
        assert len(result["images"]) == 1


@LEAKS
def test_11_an_upload_that_is_not_kept_is_gone_after_its_time(secure: RunningServer, proxied: Any, png: bytes) -> None:
    settings = fal_client_at("").StorageSettings(expires_in=1)
    url = proxied.upload(png, "image/png", lifecycle=settings)
    wait_until(lambda: fetch(url).status_code == 403)
    del secure


def noise(folder: Path) -> Path:
    """A picture of more than 101 MiB; one that is smaller would go in one piece."""
    side = 5950
    picture = Image.frombytes("RGB", (side, side), random.Random(1).randbytes(side * side * 3))
    file = folder / "noise.png"
    picture.save(file, compress_level=0)
    assert file.stat().st_size > 101 * 1024 * 1024
    return file


@LEAKS
@pytest.mark.slow
def test_11_a_picture_of_101_mib_arrives_in_parts(proxied: Any, tmp_path: Path) -> None:
    file = noise(tmp_path)
    url = proxied.upload_file(file)
    sent, got = hashlib.sha256(file.read_bytes()).digest(), hashlib.sha256(fetch(url).content).digest()
    assert sent == got
    assert proxied.run(EDIT, {"prompt": "make it blue", "image_urls": [url], "num_inference_steps": 1})["images"]


def test_11_pictures_may_be_encoded_in_the_request(secure: RunningServer, fal: Any, png: bytes) -> None:
    uri = fal_client_at(secure.url).encode_image(Image.open(io.BytesIO(png)))
    assert fal.run("fal-ai/qwen-image-edit", {"prompt": "blue", "image_url": uri, "num_inference_steps": 2})["images"]


@pytest.mark.parametrize(("asked", "status"), [(CAT, "OK"), ({"seed": 1}, "ERROR")])
def test_12_a_webhook_is_signed_for_the_published_key(
    secure: RunningServer, fal: Any, asked: dict[str, Any], status: str
) -> None:
    with webhook_receiver() as hook:
        handle = fal.submit(PAINT, asked, webhook_url=hook.url)
        headers, body = hook.first()
    told = json.loads(body)
    assert (told["request_id"], told["status"]) == (handle.request_id, status)
    if status == "OK":
        assert told["payload"]["images"][0]["width"] == 512
        assert told["error"] is None
    else:
        assert told["error"] == "Invalid status code: 422"
        assert told["payload"]["detail"][0]["loc"] == ["body", "prompt"]
    with secure.client() as http:
        (jwk,) = http.get("/.well-known/jwks.json").json()["keys"]
        assert http.get("/fal/rest/.well-known/jwks.json").json()["keys"] == [jwk]
    assert_signed(jwk, headers, body)
    with pytest.raises(InvalidSignature):
        assert_signed(jwk, headers, body + b" ")


def assert_signed(jwk: dict[str, str], headers: dict[str, str], body: bytes) -> None:
    signed = (
        headers["x-fal-webhook-request-id"],
        headers["x-fal-webhook-user-id"],
        headers["x-fal-webhook-timestamp"],
        hashlib.sha256(body).hexdigest(),
    )
    key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(jwk["x"] + "="))
    key.verify(bytes.fromhex(headers["x-fal-webhook-signature"]), "\n".join(signed).encode())


@contextmanager
def realtime(client: Any, endpoint: str, **options: Any) -> Iterator[Any]:
    """A connection of the asynchronous client, used one call after the other.

    The synchronous one reads TLS on one thread and writes it on another, which OpenSSL does not allow: now and then its
    opening request never leaves the machine.
    """
    with asyncio.Runner() as runner:
        opening = client.realtime(endpoint, **options)
        connection = runner.run(opening.__aenter__())
        try:
            yield SimpleNamespace(
                send=lambda message: runner.run(connection.send(message)),
                recv=lambda: runner.run(asyncio.wait_for(connection.recv(), PATIENCE_S)),
            )
        finally:
            runner.run(opening.__aexit__(None, None, None))


def test_12_realtime_answers_each_message_with_its_output(secure: RunningServer) -> None:
    client = fal_client_at(secure.url).AsyncClient(key=secure.key)
    with realtime(client, PAINT, use_jwt=False) as connection:
        for seed in (1, 2):
            connection.send(CAT | {"seed": seed})
            told = connection.recv()
            assert told["seed"] == seed
            assert Image.open(io.BytesIO(told["images"][0]["content"])).size == (512, 512)
        connection.send({"seed": 3})
        with pytest.raises(fal_client_at(secure.url).client.RealtimeError, match="MISSING"):
            connection.recv()


def test_12_who_hangs_up_stops_what_is_painted_for_them(secure: RunningServer, gate: Gate) -> None:
    client = fal_client_at(secure.url).AsyncClient(key=secure.key)

    def states() -> list[str]:
        with secure.client() as http:
            tasks = http.get("/overpaint/v1/tasks").json()["tasks"]
        return [task["state"] for task in tasks if task["prompt"] == gate.words]

    with realtime(client, PAINT, use_jwt=False) as connection:
        connection.send(CAT | {"prompt": gate.words})
        wait_until(states)
    wait_until(lambda: states() == ["cancelled"])


def test_12_realtime_takes_a_token_for_its_endpoint_alone(proxied: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    token = proxied._get_realtime_token(PAINT)

    async def get_token(*_args: Any, **_options: Any) -> str:
        return token

    client = fal_client_at("").AsyncClient(key="of no use with a token")
    monkeypatch.setattr(type(client), "_get_realtime_token", get_token)
    with realtime(client, PAINT) as connection:
        connection.send(CAT)
        assert connection.recv()["images"]
    error = fal_client_at("").client.RealtimeError
    with realtime(client, EDIT) as connection, pytest.raises(error, match="UNAUTHORIZED"):
        connection.recv()
