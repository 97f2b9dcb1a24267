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
from overpaint.api.dialects.fal.inbox import MAX_BUFFERED, MAX_BUFFERED_BYTES, Inbox
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


def test_who_sends_more_than_is_kept_and_hangs_up_is_heard() -> None:
    """The connection waited for room that nobody made any more, for ever, and kept all that it had been sent."""
    stand_in = StandIn(step_s=60)
    _, secret = asyncio.run(stand_in.keys.create("mine"))
    client = TestClient(create_app(stand_in.service, ApiConfig()))
    with client.websocket_connect(URL, headers={"Authorization": f"Key {secret}"}) as socket:
        for number in range(MAX_BUFFERED + 5):
            socket.send_json({"prompt": f"cat {number}"})
        socket.close()
    (task,) = stand_in.stored.values()
    assert task.state is TaskState.CANCELLED


def test_the_newest_message_goes_before_older_ones_where_few_are_kept() -> None:
    """The client says: "before starting to drop old ones in favor of the newer ones. It must be between 1 and 60"."""
    stand_in = StandIn(step_s=0.1)
    _, secret = asyncio.run(stand_in.keys.create("mine"))
    client = TestClient(create_app(stand_in.service, ApiConfig()))
    with client.websocket_connect(f"{URL}?max_buffering=1", headers={"Authorization": f"Key {secret}"}) as socket:
        for number in range(5):
            socket.send_json({"prompt": f"cat {number}"})
            time.sleep(0.05)
        for _ in range(2):
            socket.receive_bytes()
    assert [task.spec.prompt for task in stand_in.stored.values()] == ["cat 0", "cat 4"]


@pytest.mark.parametrize(
    ("asked", "kept"), [("2", 2), ("60", 60), ("", 60), ("0", 60), ("61", 60), ("-1", 60), ("x", 60)]
)
def test_as_many_messages_are_kept_as_are_asked_for(asked: str, kept: int) -> None:
    async def waiting() -> list[str]:
        inbox = Inbox(asked)
        for number in range(70):
            inbox.put({"text": str(number)})
        return [(await inbox.get())["text"] for _ in range(kept)]

    assert asyncio.run(waiting()) == [str(number) for number in range(70 - kept, 70)]


def test_large_messages_are_kept_as_far_as_there_is_room_and_the_newest_in_any_case() -> None:
    async def waiting() -> list[int]:
        inbox = Inbox()
        third = bytes(MAX_BUFFERED_BYTES // 3)
        for data in (third, third, third, b"small", bytes(MAX_BUFFERED_BYTES + 1), b"", third):
            inbox.put({"bytes": data})
        return [len((await inbox.get())["bytes"]) for _ in range(2)]

    assert asyncio.run(waiting()) == [0, MAX_BUFFERED_BYTES // 3]
