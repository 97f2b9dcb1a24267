"""The native API over a service in memory."""

import asyncio
import base64
import io
import json
import logging
import random
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from PIL import Image

from overpaint.api.config import ApiConfig
from overpaint.api.log import JsonFormatter
from overpaint.api.native.usage import ROWS_A_PIECE, _begun, _pieces
from overpaint.core.account import KeyLimits, UsageRow
from overpaint.core.task import Backlog
from tests.unit.api.conftest import World

pytestmark = pytest.mark.anyio
ROOT = "/overpaint/v1"
ACCESS = "overpaint.access"
CAT = {"model": "qwen-image-2.0", "prompt": "a cat", "size": "96x64"}


async def made(http: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await http.post(f"{ROOT}/tasks", params={"wait_s": 5}, json=CAT | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_task_is_accepted_with_201_and_tells_where_to_go(world: World) -> None:
    answer = await world.http.post(f"{ROOT}/tasks", json=CAT)
    task = answer.json()
    assert answer.status_code == 201
    assert task["state"] == "queued"
    assert task["urls"]["events"] == f"http://testserver{ROOT}/tasks/{task['id']}/events"
    assert answer.headers["location"] == task["urls"]["get"]


async def test_a_waiting_create_brings_pictures_seeds_and_timings(world: World) -> None:
    task = await made(world.http, num_images=2, seed=7)
    assert task["state"] == "succeeded"
    assert [image["seed"] for image in task["images"]] == [7, 8]
    assert (task["images"][0]["width"], task["images"][0]["height"]) == (96, 64)
    assert task["timings"]["total_ms"] == 500
    assert (await world.nobody.get(task["images"][0]["url"])).status_code == 200


@pytest.mark.parametrize("shows_prompts", [False, True])
async def test_the_line_of_a_request_holds_its_prompt_if_that_is_wanted(
    world: World, caplog: pytest.LogCaptureFixture, shows_prompts: bool
) -> None:
    formatter = JsonFormatter(shows_prompts=shows_prompts)
    with caplog.at_level(logging.INFO, "overpaint.access"):
        await made(world.http, prompt="a secret cat")
        await world.http.get(f"{ROOT}/models")
    of_task, of_models = (json.loads(formatter.format(record)) for record in caplog.records if record.name == ACCESS)
    assert of_task.get("prompt") == ("a secret cat" if shows_prompts else None)
    assert "prompt" not in of_models


async def test_a_form_with_files_is_the_same_request(world: World, png: bytes) -> None:
    files = [("images", ("a.png", png, "image/png")), ("images", ("b.png", png, "image/png"))]
    form = {"prompt": "combine them", "seed": "3", "format": "webp", "model": "qwen-image-2.0"}
    answer = await world.http.post(f"{ROOT}/tasks", data=form, files=files, params={"wait_s": 5})
    assert answer.status_code == 201, answer.text
    task = answer.json()
    assert (task["seed"], task["images"][0]["media_type"]) == (3, "image/webp")
    assert len(next(iter(world.stand_in.stored.values())).spec.pictures) == 2


@pytest.mark.parametrize(
    ("path", "field"), [(f"{ROOT}/tasks", "images"), ("/openai/v1/images/edits", "image")], ids=["native", "openai"]
)
async def test_a_form_takes_a_large_picture_as_text_in_lines(world: World, path: str, field: str) -> None:
    """More than a MiB, which is where the framework's parser stops unless it is told."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (700, 700), random.Random(1).randbytes(700 * 700 * 3)).save(buffer, "PNG")
    text = base64.encodebytes(buffer.getvalue()).replace(b"\n", b"\r\n").decode()
    answer = await world.http.post(path, files=[("prompt", (None, "make it blue")), (field, (None, text))])
    assert answer.status_code in (200, 201), answer.text
    (task,) = world.stand_in.stored.values()
    assert [picture.width for picture in task.spec.pictures] == [700]


@pytest.mark.parametrize("path", [f"{ROOT}/tasks", "/openai/v1/images/generations"])
async def test_a_file_under_another_name_is_refused(world: World, png: bytes, path: str) -> None:
    """Without it another picture would be painted, and charged."""
    answer = await world.http.post(path, data={"prompt": "edit it"}, files={"picture": ("a.png", png, "image/png")})
    assert answer.status_code == 400
    assert "picture: 'a.png' is not taken: files are fields image" in answer.text
    assert not world.stand_in.stored


async def test_a_key_without_its_scheme_and_a_path_that_is_not_are_told_what_would_be_right(world: World) -> None:
    answer = await world.nobody.get(f"{ROOT}/models", headers={"Authorization": "op_something"})
    assert (answer.status_code, "Authorization: Bearer KEY" in answer.text) == (401, True)
    answer = await world.http.post("/v1/embeddings", json={})
    assert answer.json()["error"]["message"] == "there is no POST /v1/embeddings; /docs lists what there is"
    answer = await world.http.put(f"{ROOT}/models")
    assert answer.json()["error"]["message"] == "/overpaint/v1/models does not take PUT"


async def test_a_body_of_another_type_is_415(world: World) -> None:
    answer = await world.http.post(f"{ROOT}/tasks", content=b"a cat", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "prompt"),
    ({"prompt": 1}, "prompt"),
    ({"prompt": "x", "model": "nothing"}, "model"),
    ({"prompt": "x", "seed": 2**31}, "seed"),
    ({"prompt": "x", "seed": 1.5}, "seed"),
    ({"prompt": "x", "num_images": 0}, "num_images"),
    ({"prompt": "x", "size": "1x"}, "size"),
    ({"prompt": "x", "images": "a"}, "images"),
    ({"prompt": "x", "images": ["!"]}, "images[0]"),
    ({"prompt": "x", "adapters": [{"source": "a", "scale": "NaN"}]}, "adapters[0].scale"),
    ({"prompt": "x", "output": {"format": "gif"}}, "output.format"),
    ({"prompt": "x", "output": {"background": "blue"}}, "output.background"),
    ({"prompt": "x", "output": {"quality": 101}}, "quality"),
    ({"prompt": "x", "priority": "first"}, "priority"),
    ({"prompt": "x", "nonsense": 1}, "nonsense"),
]


@pytest.mark.parametrize(("body", "field"), BAD)
async def test_bad_input_names_field_and_rule_and_leaves_nothing(
    world: World, body: dict[str, Any], field: str
) -> None:
    answer = await world.http.post(f"{ROOT}/tasks", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["field"]) == (400, field)
    assert error["rule"]
    assert not world.stand_in.stored


@pytest.mark.parametrize("body", [b"{", b"[1", b'"text"', b"[]", b"\xff", b"[" * 100_000, b'{"prompt": "\\ud800"}'])
async def test_what_is_not_a_json_object_is_400(world: World, body: bytes) -> None:
    answer = await world.http.post(f"{ROOT}/tasks", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "body")


@pytest.mark.parametrize("api_config", [ApiConfig(max_body_bytes=2**20)], ids=["1MiB"])
async def test_a_body_beyond_the_limit_is_413(world: World) -> None:
    answer = await world.http.post(f"{ROOT}/tasks", json={"prompt": "x" * 2**21})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


async def test_tasks_are_listed_by_cursor_and_state(world: World) -> None:
    ids = [(await made(world.http))["id"] for _ in range(3)]
    first = (await world.http.get(f"{ROOT}/tasks", params={"limit": 2, "state": "succeeded"})).json()
    rest = (await world.http.get(f"{ROOT}/tasks", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [task["id"] for task in first["tasks"] + rest["tasks"]] == ids[::-1]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 101}, {"state": "lost"}, {"cursor": "x"}, {"created_after": "tomorrow"}]
)
async def test_a_bad_query_is_400(world: World, params: dict[str, Any]) -> None:
    assert (await world.http.get(f"{ROOT}/tasks", params=params)).status_code == 400


async def test_a_task_can_be_cancelled_and_deleted(world: World) -> None:
    world.stand_in.step_s = 60
    task_id = (await world.http.post(f"{ROOT}/tasks", json=CAT)).json()["id"]
    assert (await world.http.delete(f"{ROOT}/tasks/{task_id}")).status_code == 409
    assert (await world.http.post(f"{ROOT}/tasks/{task_id}/cancel")).json()["state"] == "cancelled"
    assert (await world.http.delete(f"{ROOT}/tasks/{task_id}")).status_code == 204
    assert (await world.http.get(f"{ROOT}/tasks/{task_id}")).status_code == 404


async def test_events_end_with_the_task_and_can_be_resumed(world: World) -> None:
    task = await made(world.http)
    whole = (await world.http.get(f"{ROOT}/tasks/{task['id']}/events")).text
    assert [line for line in whole.splitlines() if line.startswith("event")] == [
        "event: queued",
        "event: progress",
        "event: progress",
        "event: done",
    ]
    rest = (await world.http.get(f"{ROOT}/tasks/{task['id']}/events", headers={"Last-Event-ID": "2"})).text
    assert "id: 2\n" not in rest
    data = json.loads(rest.strip().splitlines()[-1].removeprefix("data: "))
    assert data["task"]["state"] == "succeeded"


async def test_an_upload_can_be_named_in_a_task(world: World, png: bytes) -> None:
    file = (await world.http.post(f"{ROOT}/files", files={"file": ("a.png", png, "image/png")})).json()
    assert (file["width"], file["height"], file["num_bytes"]) == (64, 48, len(png))
    assert (await made(world.http, images=[file["url"]]))["state"] == "succeeded"


async def test_a_link_that_was_changed_or_is_for_something_else_is_403(world: World, png: bytes) -> None:
    file = (await world.http.post(f"{ROOT}/files", files={"file": ("a.png", png, "image/png")})).json()
    url = file["url"]
    assert (await world.nobody.put(url, content=png)).status_code == 403
    assert (await world.nobody.get(url.replace("expires=", "expires=9"))).status_code == 403
    assert (await world.nobody.get(url.partition("?")[0])).status_code == 403
    assert (await world.nobody.get(url.replace("uploads/", "uploads/x"))).status_code == 403


async def test_models_are_listed_and_found_by_alias(world: World) -> None:
    models = (await world.http.get(f"{ROOT}/models")).json()["models"]
    assert models[0]["id"] == "qwen-image-2.0"
    one = await world.http.get(f"{ROOT}/models/wavespeed-ai/qwen-image-2.0/edit")
    assert one.json()["min_images"] == 1
    assert (await world.http.get(f"{ROOT}/models/none")).status_code == 404


async def test_keys_are_an_admins_business(world: World) -> None:
    assert (await world.http.get(f"{ROOT}/keys")).status_code == 403
    made_key = (await world.admin.post(f"{ROOT}/keys", json={"name": "shop"})).json()
    assert made_key["secret"].startswith("op_")
    headers = {"Authorization": f"Bearer {made_key['secret']}"}
    assert (await world.nobody.get(f"{ROOT}/models", headers=headers)).status_code == 200
    limits = {"requests_per_minute": 5, "monthly_budget_usd": 1.5}
    changed = (await world.admin.put(f"{ROOT}/keys/shop/limits", json=limits)).json()
    assert changed["limits"] == limits | {"max_open_tasks": None, "max_upload_mib": None}
    assert (await world.admin.delete(f"{ROOT}/keys/shop")).json()["revoked_at"]
    listed = (await world.admin.get(f"{ROOT}/keys")).json()
    assert "secret" not in listed[-1]
    assert "secret_hash" not in listed[-1]


async def test_a_key_may_have_slashes_in_its_name(world: World) -> None:
    for name in ("team/a", "team/limits", "x" * 64):
        assert (await world.admin.post(f"{ROOT}/keys", json={"name": name})).status_code == 201
        changed = await world.admin.put(f"{ROOT}/keys/{name}/limits", json={"max_open_tasks": 3})
        assert (changed.json()["name"], changed.json()["limits"]["max_open_tasks"]) == (name, 3)
        assert (await world.admin.delete(f"{ROOT}/keys/{name}")).json()["name"] == name


async def test_usage_is_ones_own_and_everybodys_for_an_admin(world: World) -> None:
    await made(world.http, num_images=2)
    mine = (await world.http.get(f"{ROOT}/usage")).json()
    theirs = (await world.stranger.get(f"{ROOT}/usage", params={"key_id": mine["rows"][0]["key_id"]})).json()
    assert (mine["num_tasks"], mine["num_images"], mine["price_usd"]) == (1, 2, 0.04)
    assert theirs["rows"] == []
    assert (await world.admin.get(f"{ROOT}/usage")).json()["num_tasks"] == 1
    table = (await world.admin.get(f"{ROOT}/usage", params={"format": "csv"})).text.splitlines()
    assert table[0].startswith("task_id,key_id,model")
    assert len(table) == 2


async def test_usage_of_a_year_is_sent_as_it_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    row = UsageRow("t", "key_mine", "m", 2, 30_000, 5, datetime(2026, 1, 1, tzinfo=UTC))
    read: list[int] = []

    async def usage(**_: object) -> AsyncIterator[UsageRow]:
        for number in range(2 * ROWS_A_PIECE + 1):
            read.append(number)
            yield replace(row, task_id=f"t{number}")

    monkeypatch.setattr(world.stand_in, "usage", usage)
    answer = (await world.admin.get(f"{ROOT}/usage")).json()
    assert [one["task_id"] for one in answer["rows"]] == [f"t{number}" for number in read]
    assert (answer["num_tasks"], answer["num_images"], answer["price_usd"]) == (1001, 2002, 30.03)
    table = (await world.admin.get(f"{ROOT}/usage", params={"format": "csv"})).text.splitlines()
    assert (len(table), table[-1]) == (1002, "t1000,key_mine,m,2,0.03,5,2026-01-01T00:00:00Z")
    read.clear()
    rows = _pieces(usage())
    await anext(await _begun(rows))
    assert len(read) == ROWS_A_PIECE, "no further than what is sent"


async def test_limits_are_in_the_headers_of_every_answer_of_the_key(world: World) -> None:
    await world.stand_in.keys.set_limits("mine", KeyLimits(requests_per_minute=9))
    assert (await world.http.get(f"{ROOT}/models")).headers["ratelimit-limit"] == "9"


async def test_readiness_names_the_part_that_is_not_well(world: World) -> None:
    assert (await world.nobody.get("/health/ready")).status_code == 200
    world.stand_in.problems = {"engine": "is loading"}
    answer = await world.nobody.get("/health/ready")
    assert (answer.status_code, answer.json()["problems"]) == (503, {"engine": "is loading"})
    assert (await world.nobody.get("/health/live")).status_code == 200


async def test_health_is_told_to_probes_that_ask_without_a_body(world: World) -> None:
    statuses = [(await world.nobody.head(path)).status_code for path in ("/health/live", "/health/ready")]
    world.stand_in.problems = {"engine": "is loading"}
    assert [*statuses, (await world.nobody.head("/health/ready")).status_code] == [200, 200, 503]


async def test_metrics_count_requests_by_route_and_never_by_path(world: World) -> None:
    task = await made(world.http)
    await world.nobody.get(task["images"][0]["url"])
    text = (await world.nobody.get("/metrics")).text
    assert 'overpaint_http_request_seconds_count{method="POST",route="/overpaint/v1/tasks",status="201"} 1.0' in text
    assert "signature" not in text


async def test_the_queue_is_told_as_the_database_has_it(world: World) -> None:
    """What a server heard of itself grew without end where another one painted, and was nothing after a restart."""
    world.stand_in.queue = Backlog(3, datetime.now(UTC) - timedelta(minutes=2))
    text = (await world.nobody.get("/metrics")).text
    assert "overpaint_queue_depth 3.0" in text
    [age] = re.findall(r"^overpaint_queue_age_seconds (.*)$", text, re.MULTILINE)
    assert 120 <= float(age) < 180
    world.stand_in.queue, world.stand_in.problems = Backlog(0, None), {"store": "is out of reach"}
    assert "overpaint_queue_depth 3.0" in (await world.nobody.get("/metrics")).text, "as it was last seen"
    world.stand_in.problems = {}
    text = (await world.nobody.get("/metrics")).text
    assert "overpaint_queue_depth 0.0" in text
    assert "overpaint_queue_age_seconds 0.0" in text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{ROOT}/tasks", CAT),
        ("/dashscope/api/v1/services/aigc/text2image/image-synthesis", {"model": "qwen-image", "input": CAT}),
    ],
    ids=["native", "dashscope"],
)
async def test_a_bug_is_told_and_logged_under_one_id(
    world: World, caplog: pytest.LogCaptureFixture, path: str, body: dict[str, Any]
) -> None:
    world.stand_in.broken = ZeroDivisionError("a bug")
    with caplog.at_level(logging.INFO):
        answer = await world.http.post(path, json=body)
    assert answer.status_code == 500
    assert "unexpected error" in answer.text
    lines = [record for record in caplog.records if record.name.startswith("overpaint.")]
    assert {vars(line)["request_id"] for line in lines} == {answer.headers["x-request-id"]}
    assert [bool(line.exc_info) for line in lines] == [True, False]
    told = answer.json().get("request_id", answer.headers["x-request-id"])
    assert told.replace("-", "") == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "status"), [("/overpaint/v1/nothing", 404), ("/nothing", 404), ("/overpaint/v1/models", 405)]
)
async def test_what_no_route_takes_is_answered_in_the_envelope(world: World, path: str, status: int) -> None:
    answer = await (world.http.delete(path) if status == 405 else world.http.get(path))
    assert (answer.status_code, set(answer.json())) == (status, {"error"})


async def test_the_document_describes_both_forms_of_a_submission(world: World) -> None:
    document = (await world.nobody.get("/openapi.json")).json()
    content = document["paths"]["/overpaint/v1/tasks"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data"}
    assert "$defs" not in json.dumps(document)


async def test_a_held_call_says_that_the_server_stops(world: World) -> None:
    world.stand_in.step_s = 60
    asked = {"prompt": "a cat", "size": "96x64"}
    held = asyncio.ensure_future(world.http.post("/openai/v1/images/generations", json=asked))
    await asyncio.sleep(0.1)
    world.closing.begin()
    answer = await held
    assert answer.status_code == 504
    assert "the server stops before the picture is done" in answer.json()["error"]["message"]
