"""Requests made up from the OpenAPI document: no answer is a 5xx, and every error is in its dialect's envelope."""

from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case

from overpaint.api.app import create_app
from overpaint.service.service import Service
from tests.contract.api.conftest import RunningServer

pytestmark = pytest.mark.slow
EXAMPLES = 40
OPERATIONS = [
    (path, method)
    for path, item in create_app(cast(Service, object())).openapi()["paths"].items()
    for method in item
    if not path.endswith(
        "/events"
    )  # a stream of an unknown task is a 404 like any other, and of a known one is endless
]


@pytest.fixture(scope="module")
def document(server: RunningServer) -> Any:
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_no_made_up_request_breaks_the_server(server: RunningServer, document: Any, path: str, method: str) -> None:
    headers = {"Authorization": f"Bearer {server.key}"}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(case=document[path][method].as_strategy())
    def probe(case: Case[Any]) -> None:
        answer = case.call(headers=headers)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert_enveloped(path, answer.json())

    probe()


def assert_enveloped(path: str, body: dict[str, Any]) -> None:
    """The error shape of whoever owns the path."""
    if path.startswith("/wavespeed"):
        assert body["code"] >= 400
        assert body["message"]
        assert isinstance(body["data"]["code"], int)
    elif path.startswith("/dashscope/compatible-mode"):
        assert body["error"]["code"]
        assert body["error"]["message"]
    elif path.startswith("/dashscope"):
        assert set(body) == {"code", "message", "request_id"}
        assert all(body.values())
    elif path.startswith("/atlas"):
        assert body["code"] >= 400
        assert body["msg"] == body["message"] != ""
    elif path.startswith("/pixazo"):
        assert set(body) == {"error", "message", "statusCode"}
        assert all(body.values())
    elif path.startswith("/replicate"):
        assert body["title"]
        assert body["detail"]
        assert body["status"] >= 400
    elif path.startswith("/fal"):
        assert body["detail"]
    elif path.startswith("/segmind"):
        assert isinstance(body["error"], str)
        assert body["error"]
    else:
        assert set(body) == {"error"}
        assert body["error"]["code"]
        assert body["error"]["message"]
