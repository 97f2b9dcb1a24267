"""A whole service over stores in memory and an engine that paints flat colours, with time in the test's hands."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image

from overpaint.core.errors import BackendError, PictureError
from overpaint.core.ports import EngineClient
from overpaint.core.task import Task
from overpaint.engine.null import NullEngine
from overpaint.outputs.memory import MemoryOutputs
from overpaint.service.adapters import NO_ADAPTERS, AdapterSources
from overpaint.service.build import Outside, Policies, build_service
from overpaint.service.caller import Caller
from overpaint.service.catalogue_file import read_catalogue
from overpaint.service.draft import Draft
from overpaint.service.enhance import Enhancer
from overpaint.service.safety import Safety
from overpaint.service.service import Service, ServicePorts
from overpaint.service.watch import Happening
from overpaint.service.webhooks import Signing, WebhookFormat
from overpaint.store.memory.opening import MemoryStores, open_memory_stores


class FakeClock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now_s(self) -> float:
        return self.passed_s

    def now(self) -> datetime:
        return datetime(2026, 1, 15, tzinfo=UTC) + timedelta(seconds=self.passed_s)

    async def sleep(self, seconds: float) -> None:
        self.passed_s += seconds
        await asyncio.sleep(0)


class WallClock(FakeClock):
    """Passes by itself, and can be pushed."""

    def now_s(self) -> float:
        return asyncio.get_running_loop().time() + self.passed_s

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.passed_s)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))


class FakeFetcher:
    """A network of pictures."""

    def __init__(self) -> None:
        self.pictures: dict[str, bytes] = {}
        self.num_fetched = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self, url: str, field: str = "images") -> bytes:
        self.num_fetched += 1
        await self.gate.wait()
        if url not in self.pictures:
            raise PictureError(field, url, "cannot be fetched (its server answers 404)")
        return self.pictures[url]


@dataclass
class FakePoster:
    """A receiver of webhooks; it never answers at URLs that end in ``silent``."""

    status: int = 200
    received: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> int:
        assert timeout_s > 0
        if url.endswith("silent"):
            await asyncio.Event().wait()
        if self.status == 0:
            raise BackendError("connection refused")
        self.received.append((url, headers, body))
        return self.status


def plain_signature(signing: Signing) -> dict[str, str]:
    return {"id": signing.delivery_id, "at": str(signing.timestamp_s)}


FORMAT = WebhookFormat(lambda task: f'{{"id": "{task.id}", "state": "{task.state}"}}'.encode(), plain_signature)


@dataclass
class World:
    """A service and everything around it."""

    service: Service
    stores: MemoryStores
    outputs: MemoryOutputs
    fetcher: FakeFetcher
    poster: FakePoster
    caller: Caller
    stranger: Caller
    admin: Caller
    clock: WallClock
    heard: list[tuple[str, Happening]]

    async def submit(self, **asked: object) -> Task:
        return await self.service.submit.submit(self.caller, draft(**asked))

    async def deliver_due(self) -> None:
        """Try the webhooks that are due, and wait for the outcome."""
        await self.service.webhooks.fill()
        await asyncio.gather(*(job for job in asyncio.all_tasks() if job.get_name().startswith("webhook ")))

    async def done(self, task: Task, timeout_s: float = 10) -> Task:
        ended = await self.service.tasks.wait(self.caller, task, timeout_s)
        assert ended.state.is_final, ended
        return ended


def draft(**asked: object) -> Draft:
    defaults: dict[str, object] = {"model": "qwen-image-2.0", "prompt": "a cat", "size": "64x64", "steps": 2}
    return Draft(**(defaults | asked))  # pyright: ignore[reportArgumentType]


def png(width: int = 64, height: int = 48, color: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), color).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class Plan:
    """How a test wants its world."""

    engine: EngineClient = field(default_factory=NullEngine)
    engine_problem: Callable[[], str | None] = lambda: None
    safety: Safety | None = None
    enhancer: Enhancer | None = None
    policies: Policies = field(default_factory=lambda: Policies(b"0123456789abcdef", lease_s=2.0))
    stores: MemoryStores | None = None
    outputs: MemoryOutputs | None = None
    adapters: AdapterSources = NO_ADAPTERS
    models: tuple[Path, ...] = (Path(__file__).with_name("aliases.toml"),)


async def build_world(plan: Plan) -> World:
    clock, fetcher, poster = WallClock(), FakeFetcher(), FakePoster()
    stores = plan.stores or open_memory_stores(clock.now)
    outputs = plan.outputs or MemoryOutputs(clock.now)
    heard: list[tuple[str, Happening]] = []
    ports = ServicePorts(stores.tasks, stores.accounts, outputs, plan.engine, plan.engine_problem)
    outside = Outside(fetcher, poster, {"native": FORMAT}, stores.webhooks, plan.enhancer, plan.adapters)
    service = build_service(
        ports,
        outside,
        read_catalogue(None, plan.models),
        plan.policies,
        plan.safety,
        clock,
        lambda task, what: heard.append((task, what)),
    )
    names = {key.name for key in await service.keys.list_keys()}
    suffix = f"-{len(names)}"
    callers: list[Caller] = []
    for name in ("mine", "stranger", "admin"):
        _, secret = await service.keys.create(name + suffix, is_admin=name == "admin")
        callers.append(await service.keys.authenticate(secret))
    mine, stranger, admin = callers
    return World(service, stores, outputs, fetcher, poster, mine, stranger, admin, clock, heard)


async def until(condition: Callable[[], bool] | Callable[[], Awaitable[bool]], timeout_s: float = 10) -> None:
    deadline_s = asyncio.get_running_loop().time() + timeout_s
    while True:
        answer = condition()
        if answer if isinstance(answer, bool) else await answer:
            return
        assert asyncio.get_running_loop().time() < deadline_s, "it does not come about"
        await asyncio.sleep(0.01)
