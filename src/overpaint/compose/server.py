"""The server's parts put together: stores, files, engine process, service and application, from one set of settings.

Imports no torch: that is the engine process's.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from socket import socket

from fastapi import FastAPI

from overpaint.api.app import create_app
from overpaint.api.dialects import DIALECTS
from overpaint.api.log import JsonFormatter
from overpaint.api.metrics import Metrics
from overpaint.api.native import NATIVE
from overpaint.api.public_url import base_url
from overpaint.api.server import Listen
from overpaint.api.tunnel import Tunnel
from overpaint.compose.data_dir import link_secret, make_data_dir
from overpaint.compose.engine import open_engine
from overpaint.compose.imports import large_imports
from overpaint.compose.kept_files import require_outputs_of, require_own_database, require_own_outputs
from overpaint.compose.listening import api_config_of, listen_of, vendor_hosts
from overpaint.compose.outside import outside_of, safety_of
from overpaint.core.errors import ConfigError
from overpaint.core.store_ports import AccountStore
from overpaint.engine.process.engine import ProcessEngine
from overpaint.engine.process.supervisor import Supervisor
from overpaint.images.limits import MIB, PictureLimits
from overpaint.outputs.opening import folder_of, open_outputs
from overpaint.service.build import Policies, build_service
from overpaint.service.catalogue_file import read_catalogue
from overpaint.service.clock import SystemClock
from overpaint.service.keys import Keys
from overpaint.service.service import Service, ServicePorts
from overpaint.service.sweep import Retention
from overpaint.settings import ServerSettings, engine_config_of, model_config_of
from overpaint.store.database import parse_url
from overpaint.store.opening import Stores, open_stores

BEYOND_RUNNING = 2
"""Tasks at the engine for each that steps: the next ones are prepared while the present ones are painted."""


@dataclass(frozen=True, slots=True)
class OpenAccounts:
    """Keys and usage, without a server."""

    keys: Keys
    store: AccountStore


@dataclass(frozen=True, slots=True)
class OpenServer:
    """A server that is about to listen.

    Args:
        app: the application.
        service: what it is over.
        engine: what paints; tells whether it loads.
        listen: where.
        socket: bound to it.
        tunnel: leads vendors' host names to it.
        proxy_port: where that listens; None does not.
    """

    app: FastAPI
    service: Service
    engine: Supervisor
    listen: Listen
    socket: socket
    tunnel: Tunnel
    proxy_port: int | None


@asynccontextmanager
async def open_accounts(settings: ServerSettings) -> AsyncIterator[OpenAccounts]:
    """The database's keys and usage, for commands; also while a server runs on it.

    Raises:
        ConfigError: no server was ever here; a key made in a database of its own would open nothing.
        BackendError: the database is out of reach.
    """
    if settings.database is None and not _sqlite_file(settings).is_file():
        folder = settings.data_dir.resolve()
        raise ConfigError(f"data_dir: '{folder}' has no data of a server; name the folder that its server has")
    stores = await _open_stores(settings)
    try:
        yield OpenAccounts(Keys(stores.accounts, SystemClock()), stores.accounts)
    finally:
        await stores.close()


@asynccontextmanager
async def open_server(settings: ServerSettings) -> AsyncIterator[OpenServer]:
    """Everything of a server; closed in the opposite order.

    Raises:
        ConfigError: a setting cannot be used.
        BackendError: the database is out of reach.
    """
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        listen, bound = listen_of(settings).bind()
        stack.callback(bound.close)
        make_data_dir(settings.data_dir)
        api = api_config_of(settings, listen)
        outputs = open_outputs(_place_of_files(settings))
        _require_own_files(settings)
        stores = await _open_stores(settings)
        stack.push_async_callback(stores.close)
        if settings.outputs is not None and (folder := folder_of(settings.outputs)) is not None:
            await require_outputs_of(stores.tasks, folder)
        engine = _start_engine(settings, stack)
        metrics.engine_stats = lambda: engine.stats
        ports = ServicePorts(stores.tasks, stores.accounts, outputs, engine, lambda: engine.problem)
        policies = _policies(settings)
        service = build_service(
            ports,
            outside_of(settings, stores, api.link_base, policies, engine),
            read_catalogue(settings.models_file, [row.models for row in DIALECTS if row.models is not None]),
            policies,
            safety_of(settings),
            listener=metrics.saw,
        )
        loop = asyncio.get_running_loop()
        engine.on_change(lambda: loop.call_soon_threadsafe(service.dispatcher.wake))
        tunnel = Tunnel(vendor_hosts(), settings.host)
        app = create_app(service, api, metrics=metrics)
        if settings.page:
            _add_page(app, service, stores, settings, stack)
        yield OpenServer(app, service, engine, listen, bound, tunnel, settings.proxy_port)


def _add_page(app: FastAPI, service: Service, stores: Stores, settings: ServerSettings, stack: AsyncExitStack) -> None:
    """Put the web page at ``/``."""
    with large_imports():  # a second of them, which a server without a page need not wait
        from overpaint.playground.log_tail import LogTail
        from overpaint.playground.mount import add_page
        from overpaint.playground.parts import PageParts
        from overpaint.playground.sessions import Sessions
        from overpaint.playground.visitors import Visitors

    tail, root = LogTail(JsonFormatter(shows_prompts=settings.log_prompts)), logging.getLogger()
    root.addHandler(tail)
    stack.callback(root.removeHandler, tail)
    parts = PageParts(
        service=service,
        sessions=Sessions(stores.sessions),
        visitors=Visitors(service.keys, is_open=settings.open_page),
        dialects=frozenset(row.name for row in (NATIVE, *DIALECTS)),
        log=tail,
        keep_days=settings.keep_days,
        base_of=partial(base_url, config=app.state.config),
    )
    add_page(app, parts)


def _sqlite_file(settings: ServerSettings) -> Path:
    return settings.data_dir.resolve() / "overpaint.db"


def _database_url(settings: ServerSettings) -> str:
    return settings.database or f"sqlite:///{_sqlite_file(settings)}"


def _place_of_files(settings: ServerSettings) -> str:
    return settings.outputs or str(settings.data_dir / "files")


def _require_own_files(settings: ServerSettings) -> None:
    require_own_database(parse_url(_database_url(settings)))
    if (folder := folder_of(_place_of_files(settings))) is not None:
        require_own_outputs(folder)


async def _open_stores(settings: ServerSettings) -> Stores:
    return await open_stores(_database_url(settings), lambda: datetime.now(UTC))


def _start_engine(settings: ServerSettings, stack: AsyncExitStack) -> Supervisor:
    opener = partial(open_engine, model_config_of(settings), engine_config_of(settings))
    engine = Supervisor(lambda on_end: ProcessEngine(opener, on_end, settings.stall_s or math.inf))
    stack.callback(engine.close)
    return engine


def _policies(settings: ServerSettings) -> Policies:
    kept = timedelta(days=settings.keep_days)
    return Policies(
        link_secret=link_secret(settings.data_dir),
        capacity=settings.max_running * BEYOND_RUNNING,
        lease_s=settings.lease_s,
        link_lifetime_s=int(kept.total_seconds()),
        pictures=PictureLimits(max_bytes=settings.max_picture_mib * MIB),
        max_upload_mib=settings.max_upload_mib,
        retention=Retention(tasks=kept, uploads=kept),
    )
