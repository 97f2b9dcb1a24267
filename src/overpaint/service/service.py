"""The service: one frozen object that the borders hold, made by `build` from ports."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from overpaint.core.account import UsageRow, UsageSum
from overpaint.core.errors import OverpaintError
from overpaint.core.model_info import ModelInfo
from overpaint.core.output_ports import OutputStore
from overpaint.core.ports import EngineClient
from overpaint.core.store_ports import AccountStore, TaskStore
from overpaint.core.task import Backlog
from overpaint.service.adapters import AdapterDesk
from overpaint.service.catalogue import Catalogue
from overpaint.service.dispatch import Dispatcher
from overpaint.service.files import Files
from overpaint.service.keys import Keys
from overpaint.service.limits import Limits
from overpaint.service.links import FileLinks
from overpaint.service.parts import Parts
from overpaint.service.submit import Submitter
from overpaint.service.sweep import Sweeper
from overpaint.service.tasks import Tasks
from overpaint.service.uploads import Uploads
from overpaint.service.webhooks import Webhooks

CHECK_S = 5.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether work can be taken and done now.

    Args:
        is_ready: all parts are well.
        problems: by part (``"engine"``, ``"store"``, ``"files"``), what is wrong; empty when ready.
    """

    is_ready: bool
    problems: dict[str, str]


@dataclass(frozen=True, slots=True)
class ServicePorts:
    """What the service stands on.

    Args:
        tasks: tasks.
        accounts: keys and usage.
        outputs: files.
        engine: paints.
        engine_problem: why the engine cannot work now; None when it can.
    """

    tasks: TaskStore
    accounts: AccountStore
    outputs: OutputStore
    engine: EngineClient
    engine_problem: Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Service:
    """Everything a border can call.

    Args:
        ports: what it stands on; the borders leave it alone.
        keys: who may ask.
        limits: how much.
        catalogue: for what.
        submit: takes requests.
        tasks: what became of them.
        adapters: those that can be named.
        files: uploads and results.
        uploads: those that are named later.
        parts: those that arrive in parts.
        links: paths of files for people without a key.
        webhooks: deliveries, for people.
        dispatcher: keeps the engine busy.
        sweeper: takes out what is old.
    """

    ports: ServicePorts
    keys: Keys
    limits: Limits
    catalogue: Catalogue
    submit: Submitter
    tasks: Tasks
    adapters: AdapterDesk
    files: Files
    uploads: Uploads
    parts: Parts
    links: FileLinks
    webhooks: Webhooks
    dispatcher: Dispatcher
    sweeper: Sweeper

    @property
    def model_info(self) -> ModelInfo:
        """The loaded checkpoint.

        Raises:
            BackendError: it is not loaded yet.
        """
        return self.ports.engine.info

    @property
    def num_under_way(self) -> int:
        """Tasks that this process holds: being prepared, painted or stored."""
        return len(self.dispatcher.running)

    async def backlog(self) -> Backlog:
        """What waits for this process or any other on the database.

        Raises:
            BackendError: the database is out of reach.
        """
        return await self.ports.tasks.backlog()

    def usage(
        self, *, key_id: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[UsageRow]:
        """Usage rows, oldest first."""
        return self.ports.accounts.usage(key_id=key_id, since=since, until=until)

    async def usage_page(self, key_id: str, *, skip: int, limit: int) -> tuple[list[UsageRow], int]:
        """A key's usage rows, newest first, without the first `skip` of them; and how many there are in all."""
        return await self.ports.accounts.usage_page(key_id, skip=skip, limit=limit)

    async def usage_sums(self, *, since: datetime) -> list[UsageSum]:
        """What was charged since then, by key and model."""
        return await self.ports.accounts.usage_sums(since=since)

    async def start(self) -> None:
        """Start the loops: dispatch, webhooks, sweeping. Tasks left by an earlier life go on."""
        self.submit.start()
        self.dispatcher.start()
        self.webhooks.start()
        self.sweeper.start()

    async def stop(self, timeout_s: float = 8.0) -> None:
        """Stop admitting, hand running work back to the queue, end the loops. The ports are the caller's to close."""
        self.submit.stop()
        await asyncio.gather(self.dispatcher.stop(timeout_s), self.webhooks.stop(), self.sweeper.stop())

    async def readiness(self) -> Readiness:
        """See whether engine, store and files work now."""
        store, files = await asyncio.gather(_problem(self.ports.tasks.check), _problem(self.ports.outputs.check))
        found = {"engine": self.ports.engine_problem(), "store": store, "files": files}
        problems = {part: problem for part, problem in found.items() if problem is not None}
        return Readiness(not problems, problems)


async def _problem(check: Callable[[], Awaitable[None]]) -> str | None:
    try:
        async with asyncio.timeout(CHECK_S):
            await check()
    except TimeoutError:
        return f"does not answer within {CHECK_S:g} s"
    except OverpaintError as error:
        return error.message
    return None
