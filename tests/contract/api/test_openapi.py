"""Requests made up from the OpenAPI document: no answer is a 5xx, and every error is in its dialect's envelope."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case

from tests.contract.api.conftest import RunningServer

pytestmark = pytest.mark.slow
EXAMPLES = 30


@pytest.fixture(scope="module")
def api(server: RunningServer) -> Any:
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


schema = schemathesis.pytest.from_fixture("api")


@schema.exclude(path_regex="/events$").parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_breaks_the_server(case: Case, server: RunningServer) -> None:
    answer = case.call(headers={"Authorization": f"Bearer {server.key}"})
    assert answer.status_code < 500 or case.path == "/health/ready", answer.text
    if answer.status_code >= 400 and case.method != "HEAD":
        assert_enveloped(case.path, answer.json())


def assert_enveloped(path: str, body: dict[str, Any]) -> None:
    """The error shape of whoever owns the path."""
    if path.startswith("/wavespeed"):
        assert body["code"] >= 400
        assert body["message"]
        assert isinstance(body["data"]["code"], int)
    else:
        assert set(body) == {"error"}
        assert body["error"]["code"]
        assert body["error"]["message"]
