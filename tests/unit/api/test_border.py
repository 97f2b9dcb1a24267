"""The parts of the border that need no application."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request

from overpaint.api.closing import Closing
from overpaint.api.config import ApiConfig
from overpaint.api.dialects import DIALECTS
from overpaint.api.dialects.wavespeed.errors import CODE_OF
from overpaint.api.dialects.wavespeed.webhook import sign
from overpaint.api.errors import STATUS_OF, RouteError, status_of
from overpaint.api.log import JsonFormatter, request_state
from overpaint.api.metrics import Metrics
from overpaint.api.native import NATIVE
from overpaint.api.public_url import base_url
from overpaint.api.sse import SseEvent, event_stream, parse_last_event_id
from overpaint.core.engine_stats import EngineStats
from overpaint.core.errors import ConfigError, OverpaintError, RequestError
from overpaint.core.events import Progress
from overpaint.core.task import Priority, Task, TaskFailure, TaskSpec, TaskState
from overpaint.service.watch import Ended
from overpaint.service.webhooks import Signing
from tests.unit.api.stand_in import out_of_reach

ROOT = Path(__file__).parents[3]


def tree(root: type[OverpaintError] = OverpaintError) -> list[type[OverpaintError]]:
    ours = root.__module__.startswith("overpaint.")
    return ([root] if ours else []) + [cls for sub in root.__subclasses__() for cls in tree(sub)]


def test_every_error_of_the_tree_has_a_status_of_its_own() -> None:
    missing = set(tree()) - set(STATUS_OF) - {RouteError}
    assert not missing


@pytest.mark.parametrize("kind", tree(), ids=lambda kind: kind.__name__)
def test_every_error_is_rendered_by_every_dialect(kind: type[OverpaintError]) -> None:
    error = kind.__new__(kind)
    Exception.__init__(error, "what happened")
    filled = {"status": 418, "headers": {}, "failure": TaskFailure("backend", "what happened"), "retry_after_s": 1.0}
    for name in ("field", "value", "rule", *filled):
        setattr(error, name, filled.get(name, name))
    for dialect in (NATIVE, *DIALECTS):
        response = dialect.render_error(status_of(error), error)
        assert response.status_code >= 400
        assert "what happened" in bytes(response.body).decode()
    assert kind.code in CODE_OF


def test_a_class_that_nobody_listed_has_the_status_of_its_parent() -> None:
    class OddError(RequestError):
        __module__ = "elsewhere"

    assert status_of(OddError("a", "b", "c")) == STATUS_OF[RequestError]


def request(headers: dict[str, str]) -> Request:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "scheme": "http", "server": ("srv", 80), "path": "/", "headers": raw})


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Host": "a.example:8000"}, "http://a.example:8000"),
        ({"Host": "in", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "out.example"}, "https://out.example"),
        ({"Host": "in", "X-Forwarded-Host": "first.example, second"}, "http://first.example"),
        ({"Host": "in", "X-Forwarded-Prefix": "/paint/"}, "http://in/paint"),
        ({"Host": "in", "X-Forwarded-Host": "evil/@x", "X-Forwarded-Proto": "javascript"}, "http://in"),
        ({"Host": "[::1]:8000"}, "http://[::1]:8000"),
        ({"Host": "<script>"}, "http://localhost"),
    ],
)
def test_urls_follow_the_request(headers: dict[str, str], expected: str) -> None:
    assert base_url(request(headers), ApiConfig()) == expected


def test_a_configured_url_goes_before_the_request() -> None:
    config = ApiConfig(public_url="https://paint.example/api/")
    assert base_url(request({"Host": "other"}), config) == "https://paint.example/api"


@pytest.mark.parametrize(
    "values", [{"public_url": "ftp://x"}, {"public_url": "x.example"}, {"sync_timeout_s": 0}, {"max_body_bytes": 5}]
)
def test_a_configuration_that_cannot_work_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        ApiConfig(**values)  # pyright: ignore[reportArgumentType]


def test_an_event_is_one_frame() -> None:
    frame = SseEvent(7, "progress", {"text": "a\nb"}).encode().decode()
    assert frame == 'id: 7\nevent: progress\ndata: {"text":"a\\nb"}\n\n'


@pytest.mark.parametrize("words", ["a\u2028b", "a\u2029b", "a\x85b", "a\x0bb", "a\x1eb", "a\r\nb", "红\n苹果\r"])
def test_no_letter_of_an_event_ends_a_line_for_a_client_that_knows_unicode(words: str) -> None:
    """So does `httpx`, and with it the clients that read lines by its `iter_lines`."""
    response = httpx.Response(200, content=SseEvent(7, "done", {"prompt": words}).encode())
    head, event, data, _ = response.iter_lines()
    assert (head, event, json.loads(data.removeprefix("data: "))) == ("id: 7", "event: done", {"prompt": words})
    text = httpx.Response(200, content=SseEvent(7, "error", words).encode())
    told = [line.removeprefix("data: ") for line in text.iter_lines() if line.startswith("data: ")]
    assert told == words.splitlines()


def test_an_event_without_words_has_data_all_the_same() -> None:
    assert SseEvent(None, "done", "").encode() == b"event: done\ndata: \n\n"


@pytest.mark.parametrize(
    ("text", "number"), [(None, 0), ("", 0), ("12", 12), ("-1", 0), ("x", 0), ("٣", 0), ("9" * 30, 0)]
)
def test_a_last_event_id_that_is_not_ours_starts_from_the_beginning(text: str | None, number: int) -> None:
    assert parse_last_event_id(text) == number


async def _slow() -> AsyncGenerator[SseEvent]:
    yield SseEvent(1, "queued")
    await asyncio.sleep(60)
    yield SseEvent(2, "never")


def test_a_stream_stays_awake_and_ends_when_the_server_stops() -> None:
    async def read() -> list[bytes]:
        closing, seen = Closing(), list[bytes]()
        async for frame in event_stream(_slow(), closing, keep_alive_s=0.01).body_iterator:
            seen.append(bytes(frame) if not isinstance(frame, str) else frame.encode())
            if len(seen) == 4:
                closing.begin()
        return seen

    frames = asyncio.run(read())
    assert frames[0].startswith(b"retry")
    assert frames[1].startswith(b"id: 1\n")
    assert set(frames[2:]) == {b": still here\n\n"}


async def _soon_ready(closing: Closing) -> AsyncGenerator[SseEvent]:
    yield SseEvent(1, "queued")
    closing.begin()
    yield SseEvent(2, "done")


async def _broken() -> AsyncGenerator[SseEvent]:
    yield SseEvent(1, "queued")
    raise out_of_reach()


def test_a_stream_has_last_words_only_when_it_breaks_off() -> None:
    async def names(closing: Closing, events: AsyncGenerator[SseEvent]) -> list[str]:
        stream = event_stream(
            events, closing, 0.01, None, lambda error: [SseEvent(None, error.code), SseEvent(None, "over")]
        )
        frames: list[str] = []
        async for frame in stream.body_iterator:
            frames.append(frame if isinstance(frame, str) else bytes(frame).decode())
            if frames[-1].startswith(":"):
                closing.begin()
        return re.findall(r"^event: (\w+)$", "".join(frames), re.MULTILINE)

    closing = Closing()
    assert asyncio.run(names(closing, _slow())) == ["queued", "unfinished", "over"]
    assert asyncio.run(names(Closing(), _broken())) == ["queued", "backend", "over"]
    closing = Closing()
    assert asyncio.run(names(closing, _soon_ready(closing))) == ["queued", "done"]


def test_a_webhook_is_signed_over_id_time_and_body() -> None:
    """Known answer, computed with `openssl dgst -sha256 -hmac secret` over the same bytes."""
    headers = sign(Signing("evt_1", 1700000000, b'{"id":"x"}', "whsec_secret"))
    digest = "513342bcbdf40f8648cec521ed9779cb9d073736e47080ed99f5a67a6d99d8eb"
    assert headers["webhook-signature"] == f"v3,{digest}"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("evt_1", "1700000000")


def test_a_log_line_has_the_requests_task_and_no_prompt() -> None:
    record = logging.makeLogRecord({"name": "x", "msg": "hello %s", "args": ("you",), "levelname": "INFO"})
    record.prompt, record.task_state = "a secret cat", "queued"
    token = request_state.set({"task_id": "t1"})
    line = json.loads(JsonFormatter().format(record))
    request_state.reset(token)
    assert (line["message"], line["task_id"], line["task_state"]) == ("hello you", "t1", "queued")
    assert "prompt" not in line
    assert json.loads(JsonFormatter(shows_prompts=True).format(record))["prompt"] == "a secret cat"


def exported() -> set[str]:
    """Names of the metrics, as Prometheus queries them."""
    families = list(Metrics().registry.collect())
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in families}


def test_every_metric_has_a_row_and_no_other_does() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "reference" / "metrics.md").read_text(), re.MULTILINE)
    assert set(rows) == exported()


def test_the_engine_s_counters_are_exported() -> None:
    stats = EngineStats(num_steps=5, prefix_tokens_reused=90, denoise_s=1.5, num_running=2)
    text = Metrics(engine_stats=lambda: stats).exposition().decode()
    assert "overpaint_engine_steps_total 5.0" in text
    assert "overpaint_prefix_reused_tokens_total 90.0" in text
    assert 'overpaint_engine_busy_seconds_total{stage="denoise"} 1.5' in text
    assert "overpaint_engine_running_pictures 2.0" in text


def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    text = (ROOT / "deploy" / "grafana" / "overpaint.json").read_text()
    asked = {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"overpaint_\w+", text)}
    assert asked
    assert asked <= exported()


def test_a_task_is_counted_once_however_often_its_end_is_told() -> None:
    metrics, now = Metrics(), datetime.now(UTC)
    spec = TaskSpec("qwen-image-2.0", "a cat", 1)
    task = Task(
        "t", "k", "native", spec, TaskState.FAILED, Priority.BATCH, 0, 1, now, failure=TaskFailure("backend", "")
    )
    metrics.saw("t", Progress("t", "denoise", 1, 4))
    metrics.saw("t", Ended(task))
    metrics.saw("t", Ended(task))
    text = metrics.exposition().decode()
    assert 'overpaint_task_failures_total{code="backend"} 1.0' in text
