"""A service in memory with the surface of `service.Service`, so that the border is tested without a database.

Keys, limits, links and the catalogue are the real ones; tasks live in a dict and are painted by the null engine.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

from overpaint.api.dialects import DIALECTS
from overpaint.core.account import ApiKey, KeyLimits, Standing, UsageRow, WebhookDelivery
from overpaint.core.errors import BackendError, PictureError, RequestError, TaskError, TaskNotFoundError
from overpaint.core.events import Finished, Progress
from overpaint.core.request import MAX_SEED, GenerationRequest
from overpaint.core.sizes import Size, parse_size
from overpaint.core.store_ports import AccountStore
from overpaint.core.task import Backlog, StoredFile, Task, TaskFailure, TaskOutput, TaskSpec, TaskState
from overpaint.engine.null import NullEngine
from overpaint.images.decode import decode_picture
from overpaint.images.encode import encode
from overpaint.service.caller import Caller
from overpaint.service.catalogue_file import read_catalogue
from overpaint.service.clock import SystemClock
from overpaint.service.draft import Draft, PictureBytes, PictureSource, PictureUrl
from overpaint.service.files import FileContent, FileStream
from overpaint.service.keys import Keys
from overpaint.service.limits import Limits
from overpaint.service.links import FileLinks
from overpaint.service.service import Readiness, Service
from overpaint.service.tasks import TaskPage, TaskQuery
from overpaint.service.watch import Ended, Queued, TaskEvent


class MemoryAccounts:
    """Keys and usage in lists."""

    def __init__(self) -> None:
        self.keys: list[ApiKey] = []
        self.rows: list[UsageRow] = []

    async def create_key(self, key: ApiKey) -> None:
        if any(known.name == key.name for known in self.keys):
            raise RequestError("name", key.name, "is taken")
        self.keys.append(key)

    async def find_key(self, secret_hash: str) -> ApiKey | None:
        return next((key for key in self.keys if key.secret_hash == secret_hash), None)

    async def list_keys(self) -> list[ApiKey]:
        return list(self.keys)

    async def set_limits(self, name: str, limits: KeyLimits) -> ApiKey:
        return self._change(name, limits=limits)

    async def revoke_key(self, name: str) -> ApiKey:
        return self._change(name, revoked_at=datetime.now(UTC))

    async def standing(self, key_id: str, *, since: datetime) -> Standing:
        rows = [row for row in self.rows if row.key_id == key_id and row.finished_at >= since]
        return Standing(0, sum(row.price_microusd for row in rows))

    def _change(self, name: str, **values: object) -> ApiKey:
        for index, key in enumerate(self.keys):
            if key.name == name:
                self.keys[index] = replace(key, **values)  # pyright: ignore[reportArgumentType]
                return self.keys[index]
        raise RequestError("name", name, "is no key")


class StandIn:
    """Tasks, files and deliveries in dicts; `step_s` is how long the engine takes for a step."""

    def __init__(self, step_s: float = 0.0) -> None:
        self.clock, self.accounts = SystemClock(), MemoryAccounts()
        self.keys = Keys(cast(AccountStore, self.accounts), self.clock)
        self.limits = Limits(cast(AccountStore, self.accounts), self.clock)
        self.catalogue = read_catalogue(None, [row.models for row in DIALECTS if row.models])
        self.links = FileLinks(b"0123456789abcdef", self.clock)
        self.submit = SimpleNamespace(submit=self.accept, note_unheard=lambda task: self.unheard.append(task.id))
        self.webhooks = SimpleNamespace(deliveries=self.deliveries)
        self.tasks = self
        self.files = SimpleNamespace(reserve=self.reserve, upload=self.upload, read=self.read, open=self.open)
        self.adapters = SimpleNamespace(names=lambda: ("pencil",))
        self.unheard: list[str] = []
        self.stored: dict[str, Task] = {}
        self.content: dict[str, FileContent] = {}
        self.problems: dict[str, str] = {}
        self.queue = Backlog(0, None)
        self.broken: Exception | None = None
        self.step_s = step_s
        self.running: set[asyncio.Task[None]] = set()

    @property
    def service(self) -> Service:
        return cast(Service, self)

    async def start(self) -> None: ...

    async def stop(self, timeout_s: float = 8.0) -> None:  # noqa: ARG002
        for task in self.running:
            task.cancel()

    async def readiness(self) -> Readiness:
        return Readiness(not self.problems, self.problems)

    @property
    def num_under_way(self) -> int:
        return len(self.running)

    async def backlog(self) -> Backlog:
        return self.queue

    async def usage(
        self, *, key_id: str | None = None, since: datetime | None = None, **_: object
    ) -> AsyncIterator[UsageRow]:
        for row in self.accounts.rows:
            if key_id in (None, row.key_id) and not (since and row.finished_at < since):
                yield row

    async def usage_page(self, key_id: str, *, skip: int, limit: int) -> tuple[list[UsageRow], int]:
        rows = [row async for row in self.usage(key_id=key_id)][::-1]
        return rows[skip : skip + limit], len(rows)

    async def accept(self, caller: Caller, draft: Draft) -> Task:
        if self.broken:
            raise self.broken
        entry = self.catalogue.find(draft.model)
        self.limits.take_request(caller)
        files = tuple([await self._picture(source, index) for index, source in enumerate(draft.pictures)])
        size = parse_size(draft.size) if isinstance(draft.size, str) else draft.size
        seed = secrets.randbelow(MAX_SEED) if draft.seed == -1 else draft.seed
        GenerationRequest(draft.prompt, size=size, seed=seed, num_images=draft.num_images)
        spec = TaskSpec(
            entry.id,
            draft.prompt,
            seed,
            pictures=files,
            size=size,
            num_images=draft.num_images,
            output=draft.output,
            wording=draft.wording,
        )
        task = Task(
            secrets.token_hex(16),
            caller.key_id,
            draft.dialect,
            spec,
            TaskState.QUEUED,
            draft.priority,
            entry.price_microusd * draft.num_images,
            0,
            datetime.now(UTC),
            webhook_url=draft.webhook_url,
        )
        self.stored[task.id] = task
        painting = asyncio.create_task(self._paint(task))
        self.running.add(painting)
        painting.add_done_callback(self.running.discard)
        return task

    async def _picture(self, source: PictureSource, index: int) -> StoredFile:
        name = f"images[{index}]"
        if isinstance(source, PictureUrl):
            key = self.links.key_of(source.url)
            if key is None:
                raise PictureError(name, source.url, "cannot be fetched")
            return await self.upload(key, self.content[key].data)
        data = source.data if isinstance(source, PictureBytes) else b""
        return await self.upload(f"inputs/{secrets.token_hex(4)}", data, name)

    async def _paint(self, task: Task) -> None:
        await asyncio.sleep(self.step_s)
        task = self._store(replace(task, state=TaskState.RUNNING, attempt=1, started_at=datetime.now(UTC)))
        spec, engine = task.spec, NullEngine()
        pictures = [decode_picture(self.content[file.key].data, "images") for file in spec.pictures]
        request = GenerationRequest(
            spec.prompt,
            pictures=tuple(pictures),
            size=spec.size or Size(64, 64),
            seed=spec.seed,
            num_images=spec.num_images,
        )
        engine.submit(task.id, request)
        await asyncio.sleep(self.step_s * 4)
        if "fail" in spec.prompt:
            failure = TaskFailure("backend", "the engine said HTTP 500")
            self._store(replace(task, state=TaskState.FAILED, failure=failure, finished_at=datetime.now(UTC)))
            return
        last = list(engine.events(task.id))[-1]
        assert isinstance(last, Finished)
        outputs: list[TaskOutput] = []
        for index, image in enumerate(last.result.images):
            key = f"outputs/{task.id}/{index}.{spec.output.format}"
            self.content[key] = FileContent(encode(image.picture, spec.output), f"image/{spec.output.format}")
            data = self.content[key].data
            file = StoredFile(key, f"image/{spec.output.format}", len(data), image.picture.width, image.picture.height)
            outputs.append(TaskOutput(file, image.seed, False))
        if self.stored[task.id].state.is_final:
            return
        done = datetime.now(UTC)
        timings = replace(last.result.timings, total_s=0.5, queue_s=0.1)
        self._store(replace(task, state=TaskState.SUCCEEDED, outputs=tuple(outputs), timings=timings, finished_at=done))
        self.accounts.rows.append(
            UsageRow(task.id, task.key_id, spec.model, len(outputs), task.price_microusd, 400, done)
        )

    def _store(self, task: Task) -> Task:
        self.stored[task.id] = task
        return task

    async def get(self, caller: Caller, task_id: str) -> Task:
        task = self.stored.get(task_id)
        if task is None or not caller.may_see(task):
            raise TaskNotFoundError(f"there is no task {task_id}")
        return task

    async def list_tasks(self, caller: Caller, query: TaskQuery | None = None) -> TaskPage:
        query = query or TaskQuery()
        found = [task for task in reversed(self.stored.values()) if caller.may_see(task)]
        found = [task for task in found if not query.states or task.state in query.states]
        found = [task for task in found if query.model in (None, task.spec.model)]
        if query.cursor and not query.cursor.isdigit():
            raise RequestError("cursor", query.cursor, "is none of ours")
        first = query.skip + int(query.cursor or 0)
        rest = found[first : first + query.limit]
        return TaskPage(tuple(rest), str(first + query.limit) if first + query.limit < len(found) else None)

    async def count(self, caller: Caller, query: TaskQuery | None = None) -> int:
        return len((await self.list_tasks(caller, replace(query or TaskQuery(), limit=10_000))).tasks)

    async def position(self, *_: object) -> int:
        return 0

    def progress(self, task: Task) -> Progress | None: ...

    async def wait(self, caller: Caller, task: Task, timeout_s: float) -> Task:
        end = asyncio.get_running_loop().time() + timeout_s
        while not (task := await self.get(caller, task.id)).state.is_final:
            if asyncio.get_running_loop().time() >= end:
                break
            await asyncio.sleep(0.01)
        return task

    async def events(self, caller: Caller, task_id: str, after: int = 0) -> AsyncIterator[TaskEvent]:
        happenings = (Queued(2), Progress(task_id, "denoise", 1, 4), Progress(task_id, "denoise", 2, 4))
        for number, what in enumerate(happenings, 1):
            if number > after:
                yield TaskEvent(number, task_id, what)
        yield TaskEvent(4, task_id, Ended(await self.wait(caller, self.stored[task_id], 60)))

    async def cancel(self, caller: Caller, task_id: str) -> Task:
        task = await self.get(caller, task_id)
        return task if task.state.is_final else self._store(replace(task, state=TaskState.CANCELLED))

    async def delete(self, caller: Caller, task_id: str) -> None:
        if not (await self.get(caller, task_id)).state.is_final:
            raise TaskError("the task is not final")
        del self.stored[task_id]

    def reserve(self, caller: Caller) -> str:
        return f"uploads/{caller.key_id}/{secrets.token_hex(16)}"

    async def upload(self, key: str, data: bytes, name: str = "file") -> StoredFile:
        picture = decode_picture(data, name)
        self.content[key] = FileContent(data, "image/png")
        return StoredFile(key, "image/png", len(data), picture.width, picture.height)

    async def read(self, key: str) -> FileContent:
        if key not in self.content:
            raise TaskNotFoundError("there is no such file")
        return self.content[key]

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[FileStream]:
        content = await self.read(key)
        yield FileStream(len(content.data), content.media_type, _halves(content.data))

    async def deliveries(self, *, task_id: str | None = None, **_: object) -> list[WebhookDelivery]:
        now = datetime.now(UTC)
        return [WebhookDelivery("wh_1", task_id or "", "k", "https://example.com", 1, now, now + timedelta(minutes=1))]


async def _halves(data: bytes) -> AsyncIterator[bytes]:
    middle = len(data) // 2
    yield data[:middle]
    yield data[middle:]


def out_of_reach() -> BackendError:
    """What a service says whose database is gone."""
    return BackendError("the database is out of reach")
