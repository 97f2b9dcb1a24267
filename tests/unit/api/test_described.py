"""What the OpenAPI document says of answers: what clients that are made from it will believe."""

from typing import Any

import pytest

from overpaint.api.app import create_app
from overpaint.api.dialects import DIALECTS
from overpaint.api.native import NATIVE
from tests.unit.api.stand_in import StandIn

PATHS: dict[str, dict[str, Any]] = create_app(StandIn().service).openapi()["paths"]
OPERATIONS = [
    (path, method) for path in PATHS for method in PATHS[path] if any(row.owns(path) for row in (NATIVE, *DIALECTS))
]
PICTURES = {"image/png", "image/jpeg", "image/webp"}
STREAM = {"text/event-stream"}


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_no_refusal_is_in_the_words_of_the_framework(path: str, method: str) -> None:
    responses = PATHS[path][method]["responses"]
    assert "HTTPValidationError" not in str(responses)
    assert "default" in responses


@pytest.mark.parametrize("path", [path for path, _ in OPERATIONS if path.startswith("/fal/")])
def test_fals_refusals_are_described(path: str) -> None:
    for operation in PATHS[path].values():
        assert {"400", "401", "402", "404", "422", "429", "503", "504"} <= set(operation["responses"])


@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        ("/files/{key}", PICTURES),
        ("/openai/v1/images/{image_id}/content", PICTURES),
        ("/openai/v1/files/{file_id}/content", PICTURES),
        ("/openai/v1/images/generations", PICTURES | STREAM | {"application/json", "application/zip"}),
        ("/openai/v1/images/edits", PICTURES | STREAM | {"application/json", "application/zip"}),
        ("/replicate/v1/files/{file_id}/download", PICTURES),
        ("/segmind/v1/{slug}", PICTURES | {"application/json"}),
        ("/fal/run/{app}/stream", STREAM),
        ("/fal/queue/{app}/requests/{request_id}/status/stream", STREAM),
        ("/fal/cdn/files/{expires}/{signature}/{key}", PICTURES),
        ("/dashscope/api/v1/services/aigc/multimodal-generation/generation", STREAM | {"application/json"}),
    ],
)
def test_what_is_not_json_alone_is_said(path: str, kinds: set[str]) -> None:
    operation = PATHS[path].get("get") or PATHS[path]["post"]
    assert set(operation["responses"]["200"]["content"]) == kinds


def test_a_request_that_runs_is_202_at_fals_queue() -> None:
    request = "/fal/queue/{app}/requests/{request_id}"
    assert {"200", "202"} <= set(PATHS[f"{request}/status"]["get"]["responses"])
    assert {"202"} <= set(PATHS[f"{request}/cancel"]["put"]["responses"])
