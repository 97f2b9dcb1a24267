"""fal's WebSocket when something goes wrong on our side."""

import asyncio
import threading
import time

import msgpack
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from overpaint.api.app import create_app
from overpaint.api.config import ApiConfig
from overpaint.core.task import Task, TaskState
from overpaint.service.caller import Caller
from overpaint.service.draft import Draft
from tests.unit.api.stand_in import StandIn

URL = "/fal/run/fal-ai/qwen-image/realtime"


def test_a_bug_costs_one_message_and_not_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    stand_in = StandIn()
    _, secret = asyncio.run(stand_in.keys.create("mine"))
    client = TestClient(create_app(stand_in.service, ApiConfig()))
    opening = client.websocket_connect(URL, headers={"Authorization": f"Key {secret}"})
    monkeypatch.setattr("overpaint.api.dialects.fal.realtime.to_draft", break_down)
    with opening as socket:
        for _ in range(2):
            socket.send_json({"prompt": "a cat"})
            told = socket.receive_json()
            assert told["type"] == "x-fal-error"
            assert "unexpected error" in told["reason"]


def test_a_message_that_json_cannot_repeat_is_refused_and_the_next_one_too() -> None:
    stand_in = StandIn()
    _, secret = asyncio.run(stand_in.keys.create("mine"))
    client = TestClient(create_app(stand_in.service, ApiConfig()))
    with client.websocket_connect(URL, headers={"Authorization": f"Key {secret}"}) as socket:
        for prompt in ({"a": b"x"}, {b"x": 1}, float("nan"), 5):
            socket.send_bytes(msgpack.packb({"prompt": prompt}) or b"")
            assert socket.receive_json()["type"] == "x-fal-error"


def test_a_connection_that_nobody_answers_any_more_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def break_down(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    stand_in = StandIn()
    _, secret = asyncio.run(stand_in.keys.create("mine"))
    client = TestClient(create_app(stand_in.service, ApiConfig()))
    monkeypatch.setattr("overpaint.api.dialects.fal.realtime._tell", break_down)
    with client.websocket_connect(URL, headers={"Authorization": f"Key {secret}"}) as socket:
        socket.send_json({"prompt": 5})
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
    assert closed.value.code == 1011


def test_who_hangs_up_while_the_task_is_being_stored_has_it_cancelled() -> None:
    stand_in = StandIn(step_s=60)
    stored = threading.Event()

    async def store_and_dawdle(caller: Caller, draft: Draft) -> Task:
        task = await stand_in.accept(caller, draft)
        stored.set()
        await asyncio.sleep(0.5)
        return task

    async def submit(caller: Caller, draft: Draft) -> Task:
        return await asyncio.shield(asyncio.ensure_future(store_and_dawdle(caller, draft)))  # as the service's does

    stand_in.submit.submit = submit
    _, secret = asyncio.run(stand_in.keys.create("mine"))
    client = TestClient(create_app(stand_in.service, ApiConfig()))
    with client.websocket_connect(URL, headers={"Authorization": f"Key {secret}"}) as socket:
        socket.send_json({"prompt": "a cat"})
        assert stored.wait(60)
        (task_id,) = stand_in.stored
        socket.close()
        deadline_s = time.monotonic() + 20
        while stand_in.stored[task_id].state is not TaskState.CANCELLED:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
