"""Every field of every endpoint of the native API and of WaveSpeed's, given what it cannot be: over the real service.

The answer names field, value and rule in the dialect's own shape; nothing is stored and nothing charged.
"""

import base64
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from PIL import Image

from overpaint.api.app import create_app
from overpaint.api.config import MIB, ApiConfig
from overpaint.api.dialects import DIALECTS
from overpaint.core.task import Task
from tests.unit.service.world import Plan, World, build_world

NATIVE, WAVE = "/overpaint/v1", "/wavespeed/api/v3"
PAINT, EDIT = f"{WAVE}/wavespeed-ai/qwen-image-2.0/text-to-image", f"{WAVE}/wavespeed-ai/qwen-image-2.0/edit"
NOBODY = "0" * 32


def png(width: int = 64, height: int = 48) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(buffer, "PNG")
    return buffer.getvalue()


PICTURE = base64.b64encode(png()).decode()
CAT: dict[str, Any] = {"prompt": "a cat"}


@dataclass(frozen=True)
class Bad:
    """A request that cannot be taken.

    Args:
        method: of it.
        path: of it.
        status: of the answer.
        named: the field that the answer names; empty for what is no field's fault.
        sent: how it is sent, as httpx takes it.
        says: part of the rule.
        as_admin: whether an admin sends it.
    """

    method: str
    path: str
    status: int
    named: str = ""
    sent: dict[str, Any] = field(default_factory=dict[str, Any])
    says: str = ""
    as_admin: bool = False


def create(named: str, says: str = "", **body: Any) -> Bad:
    return Bad("POST", f"{NATIVE}/tasks", 400, named, {"json": CAT | body}, says)


def form(named: str, data: dict[str, Any], files: list[Any] | None = None, status: int = 400) -> Bad:
    return Bad("POST", f"{NATIVE}/tasks", status, named, {"data": data, "files": files or [("images", ("a", png()))]})


def key(named: str, **body: Any) -> Bad:
    return Bad("POST", f"{NATIVE}/keys", 400, named, {"json": {"name": "new"} | body}, as_admin=True)


def paint(named: str, says: str = "", status: int = 400, **body: Any) -> Bad:
    return Bad("POST", PAINT, status, named, {"json": CAT | body}, says)


def edit(named: str, says: str = "", **body: Any) -> Bad:
    return Bad("POST", EDIT, 400, named, {"json": CAT | {"images": [PICTURE]} | body}, says)


NATIVE_TASKS = [
    Bad("POST", f"{NATIVE}/tasks", 400, "prompt", {"json": {}}, "required"),
    create("prompt", prompt=1),
    create("prompt", prompt=None),
    create("prompt", prompt=""),
    create("prompt", prompt="x" * 5001, says="at most 5000"),
    create("prompt", prompt="a\0b", says="null"),
    create("model", model="nothing"),
    create("model", model=5),
    create("images", images="a"),
    create("images[0]", images=["!"], says="base64"),
    create("images[0]", images=["ftp://example.com/a.png"]),
    create("images[0]", images=["http://127.0.0.1/a.png"]),
    create("images[0]", images=["https://nowhere.example/a.png"]),
    create("images[0]", images=["data:image/png;base64,!!"], says="base64"),
    create("images[0]", images=[base64.b64encode(b"no picture").decode()]),
    create("images[1]", images=[PICTURE, base64.b64encode(png()[:60]).decode()]),
    create("images[0]", images=[base64.b64encode(png(8, 8)).decode()], says="at least 16"),
    create("images", images=[PICTURE] * 7, says="6"),
    create("mask", mask=PICTURE, says="picture"),
    create("mask", images=[PICTURE], mask=base64.b64encode(png(32, 32)).decode(), says="64x48"),
    create("mask", images=[PICTURE], mask=7),
    create("negative_prompt", negative_prompt=[]),
    create("negative_prompt", negative_prompt="x" * 5001),
    create("size", size="1x"),
    create("size", size="8x8"),
    create("size", size="4096x4096"),
    create("size", size=64),
    create("seed", seed=-2),
    create("seed", seed=2**31),
    create("seed", seed=1.5),
    create("seed", seed=True, says="number"),
    create("seed", seed=10**30),
    create("num_images", num_images=0),
    create("num_images", num_images=7, says="6"),
    create("num_images", num_images="many"),
    create("steps", steps=0),
    create("steps", steps=10**6),
    create("true_cfg_scale", true_cfg_scale=-1),
    create("true_cfg_scale", true_cfg_scale="much"),
    create("adapters[0].source", adapters=[{"scale": 1}], says="required"),
    create("adapters[0].scale", adapters=[{"source": "a", "scale": "x"}]),
    create("adapters", adapters=[{"source": "a/b"}] * 5, says="4"),
    create("adapters[0]", adapters=[{"source": "a/b"}], says="not an adapter of this server"),
    create("output.format", output={"format": "gif"}),
    create("quality", output={"quality": 0}),
    create("output.background", output={"background": "blue"}),
    create("output.nonsense", output={"nonsense": 1}),
    create("priority", priority="first"),
    create("enhance", enhance="perhaps"),
    create("webhook_url", webhook_url="ftp://example.com"),
    create("webhook_url", webhook_url=5),
    create("nonsense", nonsense=1),
    Bad("POST", f"{NATIVE}/tasks", 400, "wait_s", {"json": CAT, "params": {"wait_s": "long"}}),
    Bad("POST", f"{NATIVE}/tasks", 400, "wait_s", {"json": CAT, "params": {"wait_s": -1}}),
    Bad("POST", f"{NATIVE}/tasks", 400, "wait_s", {"json": CAT, "params": {"wait_s": 601}}),
    Bad("POST", f"{NATIVE}/tasks", 400, "idempotency-key", {"json": CAT, "headers": {"Idempotency-Key": "x" * 201}}),
    Bad("POST", f"{NATIVE}/tasks", 400, "idempotency_key", {"json": CAT, "headers": {"Idempotency-Key": "a\tb"}}),
    Bad("POST", f"{NATIVE}/tasks", 400, "body", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
    Bad("POST", f"{NATIVE}/tasks", 415, "", {"content": b"a cat", "headers": {"Content-Type": "text/plain"}}),
    Bad("POST", f"{NATIVE}/tasks", 413, "", {"json": CAT | {"negative_prompt": "x" * 2 * MIB}}),
    form("prompt", {"seed": "1"}),
    form("seed", {"prompt": "a cat", "seed": "many"}),
    form("nonsense", {"prompt": "a cat", "nonsense": "1"}),
    form("output", {"prompt": "a cat", "output": "{}", "format": "webp"}),
    form("output", {"prompt": "a cat", "quality": "9", "output": "{}"}),
    form("images[0]", {"prompt": "a cat"}, [("images", ("a.png", b"no picture"))]),
]
NATIVE_OTHERS = [
    Bad("GET", f"{NATIVE}/tasks", 400, "limit", {"params": {"limit": 0}}),
    Bad("GET", f"{NATIVE}/tasks", 400, "limit", {"params": {"limit": "all"}}),
    Bad("GET", f"{NATIVE}/tasks", 400, "state[0]", {"params": {"state": "lost"}}),
    Bad("GET", f"{NATIVE}/tasks", 400, "cursor", {"params": {"cursor": "x"}}),
    Bad("GET", f"{NATIVE}/tasks", 400, "created_after", {"params": {"created_after": "tomorrow"}}),
    Bad("GET", f"{NATIVE}/tasks", 400, "created_before", {"params": {"created_before": "1e999"}}),
    Bad("GET", f"{NATIVE}/tasks", 400, "created_after", {"params": {"created_after": "0001-01-01"}}, "1970"),
    Bad("GET", f"{NATIVE}/tasks", 400, "created_before", {"params": {"created_before": "9999-12-31"}}, "9000"),
    Bad("GET", f"{NATIVE}/tasks/{NOBODY}", 404),
    Bad("GET", f"{NATIVE}/tasks/{NOBODY}/events", 404),
    Bad("GET", f"{NATIVE}/tasks/{NOBODY}/deliveries", 404),
    Bad("POST", f"{NATIVE}/tasks/{NOBODY}/cancel", 404),
    Bad("DELETE", f"{NATIVE}/tasks/{NOBODY}", 404),
    Bad("POST", f"{NATIVE}/files", 400, "file", {"data": {}, "files": [("other", ("a.png", png()))]}),
    Bad("POST", f"{NATIVE}/files", 400, "", {"files": [("file", ("a.png", b"no picture"))]}),
    Bad("POST", f"{NATIVE}/files", 400, "file", {"json": {}}),
    Bad("POST", f"{NATIVE}/files", 413, "body", {"files": [("file", ("a.png", b"x" * 2 * MIB))]}),
    Bad("GET", f"{NATIVE}/models/nothing", 404),
    Bad("GET", f"{NATIVE}/usage", 400, "since", {"params": {"since": "yesterday"}}),
    Bad("GET", f"{NATIVE}/usage", 400, "until", {"params": {"until": "x"}}),
    Bad("GET", f"{NATIVE}/usage", 400, "since", {"params": {"since": "0001-01-01"}}, "1970"),
    Bad("GET", f"{NATIVE}/usage", 400, "until", {"params": {"until": "9999-12-31"}}, "9000"),
    Bad("GET", f"{NATIVE}/usage", 400, "format", {"params": {"format": "xml"}}),
    Bad("GET", f"{NATIVE}/keys", 403),
    key("name", name=""),
    key("name", name="\n"),
    key("name", name=5),
    key("is_admin", is_admin="perhaps"),
    key("limits.requests_per_minute", limits={"requests_per_minute": 0}),
    key("limits.max_open_tasks", limits={"max_open_tasks": "few"}),
    key("limits.monthly_budget_usd", limits={"monthly_budget_usd": -1}),
    key("limits.nonsense", limits={"nonsense": 1}),
    key("name", name="x" * 65),
    Bad("PUT", f"{NATIVE}/keys/nobody/limits", 404, "", {"json": {}}, as_admin=True),
    Bad("PUT", f"{NATIVE}/keys/nobody/limits", 400, "max_open_tasks", {"json": {"max_open_tasks": 0}}, as_admin=True),
    Bad("DELETE", f"{NATIVE}/keys/nobody", 404, "", as_admin=True),
    Bad("GET", "/files/get/x/y", 403),
]
WAVESPEED = [
    Bad("POST", PAINT, 400, "prompt", {"json": {}}, "required"),
    paint("prompt", prompt=5),
    paint("prompt", prompt="x" * 801),
    paint("images", images=[PICTURE]),
    paint("seed", seed=-2),
    paint("seed", seed="many"),
    paint("seed", seed=True),
    paint("size", size="big"),
    paint("size", size="5000*5000"),
    paint("height", width=512, says="required"),
    paint("width", height=512, says="required"),
    paint("width", width="wide", height=512),
    paint("output_format", output_format="bmp"),
    paint("negative_prompt", negative_prompt=1),
    paint("enable_sync_mode", enable_sync_mode="perhaps"),
    paint("enable_base64_output", enable_base64_output="perhaps"),
    paint("enable_prompt_expansion", enable_prompt_expansion="perhaps"),
    paint("webhook_url", webhook_url="ftp://example.com"),
    paint("loras[0].path", loras=[{"scale": 1}]),
    paint("loras[0].scale", loras=[{"path": "a", "scale": "x"}]),
    paint("loras[0]", loras=[{"path": "a/b"}]),
    Bad("POST", PAINT, 400, "webhook_url", {"json": CAT, "params": {"webhook": "ftp://x"}}),
    Bad("POST", PAINT, 400, "idempotency-key", {"json": CAT, "headers": {"Idempotency-Key": "x" * 201}}),
    Bad("POST", PAINT, 400, "body", {"content": b"[1"}),
    Bad("POST", PAINT, 413, "", {"json": CAT | {"negative_prompt": "x" * 2 * MIB}}),
    Bad("POST", EDIT, 400, "images", {"json": CAT}),
    edit("images", images=[]),
    edit("images[0]", images=[5]),
    edit("images[1]", images=[PICTURE, "###"]),
    edit("images", images=[PICTURE] * 7),
    edit("image", image=5, images=None),
    Bad("POST", f"{WAVE}/nobody/nothing", 404, "", {"json": CAT}),
    Bad("GET", f"{WAVE}/predictions/{NOBODY}/result", 404),
    Bad("GET", f"{WAVE}/predictions/{NOBODY}", 404),
    Bad("DELETE", f"{WAVE}/predictions/{NOBODY}", 404),
    Bad("POST", f"{WAVE}/predictions", 400, "page", {"json": {"page": 0}}),
    Bad("POST", f"{WAVE}/predictions", 400, "page_size", {"json": {"page_size": 101}}),
    Bad("POST", f"{WAVE}/predictions", 400, "status", {"json": {"status": "lost"}}),
    Bad("POST", f"{WAVE}/predictions", 400, "created_after", {"json": {"created_after": "tomorrow"}}),
    Bad("GET", f"{WAVE}/predictions", 400, "page", {"params": {"page": "x"}}),
    Bad("POST", f"{WAVE}/predictions/delete", 400, "ids", {"json": {}}),
    Bad("POST", f"{WAVE}/predictions/delete", 400, "ids", {"json": {"ids": "all"}}),
    Bad("POST", f"{WAVE}/predictions/delete", 404, "", {"json": {"ids": [NOBODY]}}),
    Bad("POST", f"{WAVE}/media/uploads", 400, "size", {"json": {"filename": "a.png"}}),
    Bad("POST", f"{WAVE}/media/uploads", 400, "size", {"json": {"size": -1}}),
    Bad("POST", f"{WAVE}/media/uploads", 413, "size", {"json": {"size": 10**12}}),
    Bad("POST", f"{WAVE}/media/uploads", 400, "filename", {"json": {"size": 1, "filename": 5}}),
    Bad("POST", f"{WAVE}/media/upload/binary", 400, "file", {"files": [("other", ("a.png", png()))]}),
    Bad("POST", f"{WAVE}/media/upload/binary", 400, "", {"files": [("file", ("a.png", b"no picture"))]}),
    Bad("POST", f"{WAVE}/upload", 400, "", {"files": [("file", ("a.png", b"no picture"))]}),
]


@dataclass(frozen=True)
class Clients:
    """A server over a real service, and who asks it."""

    world: World
    mine: httpx.AsyncClient
    admin: httpx.AsyncClient


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def clients() -> AsyncIterator[Clients]:
    world = await build_world(Plan(models=tuple(row.models for row in DIALECTS if row.models is not None)))
    keys = world.service.keys
    secrets = [(await keys.create(name, is_admin=name == "boss"))[1] for name in ("customer", "boss")]
    transport = httpx.ASGITransport(
        create_app(world.service, ApiConfig(max_body_bytes=MIB)), raise_app_exceptions=False
    )
    headers = [{"Authorization": f"Bearer {secret}"} for secret in secrets]
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=headers[0]) as mine,
        httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=headers[1]) as admin,
    ):
        yield Clients(world, mine, admin)


async def left_behind(world: World) -> dict[str, list[Any]]:
    """Everything that a request could have stored."""
    tasks: list[Task] = (await world.stores.tasks.list_tasks())[0]
    return {
        "tasks": tasks,
        "usage": [row async for row in world.service.usage()],
        "files": [file.key async for file in world.outputs.list_files("")],
        "webhooks": await world.stores.webhooks.deliveries(),
    }


def assert_native(bad: Bad, answer: httpx.Response) -> None:
    error = answer.json()["error"]
    assert error["code"]
    assert error["message"]
    assert error["retryable"] is False
    if bad.named:
        assert error["field"].removeprefix("output.") == bad.named.removeprefix("output.")
        assert error["rule"]
        assert bad.says in error["rule"]


def assert_wavespeed(bad: Bad, answer: httpx.Response) -> None:
    refusal = answer.json()
    assert refusal["code"] == bad.status
    assert refusal["message"].startswith(bad.named)
    assert bad.says in refusal["message"]
    if bad.status == 400:
        assert refusal["data"]["code"] in (1400, 1401)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "bad",
    [*NATIVE_TASKS, *NATIVE_OTHERS, *WAVESPEED],
    ids=lambda bad: f"{bad.method} {bad.path} {bad.named} {str(bad.sent)[:60]}",
)
async def test_a_field_that_cannot_be_is_named_and_leaves_nothing(clients: Clients, bad: Bad) -> None:
    http = clients.admin if bad.as_admin else clients.mine
    keys = await clients.world.service.keys.list_keys()
    answer = await http.request(bad.method, bad.path, **bad.sent)
    assert answer.status_code == bad.status, answer.text
    (assert_wavespeed if bad.path.startswith(WAVE) else assert_native)(bad, answer)
    assert await left_behind(clients.world) == {"tasks": [], "usage": [], "files": [], "webhooks": []}
    assert await clients.world.service.keys.list_keys() == keys
