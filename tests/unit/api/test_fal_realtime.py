"""fal's WebSocket when something goes wrong on our side."""

import asyncio

import pytest
from starlette.testclient import TestClient

from overpaint.api.app import create_app
from overpaint.api.config import ApiConfig
from tests.unit.api.stand_in import StandIn


def test_a_bug_costs_one_message_and_not_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    stand_in = StandIn()
    _, secret = asyncio.run(stand_in.keys.create("mine"))
    client = TestClient(create_app(stand_in.service, ApiConfig()))
    opening = client.websocket_connect(
        "/fal/run/fal-ai/qwen-image/realtime", headers={"Authorization": f"Key {secret}"}
    )
    monkeypatch.setattr("overpaint.api.dialects.fal.realtime.to_draft", break_down)
    with opening as socket:
        for _ in range(2):
            socket.send_json({"prompt": "a cat"})
            told = socket.receive_json()
            assert told["type"] == "x-fal-error"
            assert "unexpected error" in told["reason"]
