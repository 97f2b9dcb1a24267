"""The server's parts put together: stores, files, engine process, service and application, from one set of settings.

Like `compose`, names concrete classes and is named by nobody but the command line. Imports no torch: that is the engine
process's.
"""

import asyncio
import logging
import math
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from socket import socket

from fastapi import FastAPI

from overpaint.api.app import create_app
from overpaint.api.config import ApiConfig
from overpaint.api.dialects import DIALECTS
from overpaint.api.log import JsonFormatter
from overpaint.api.metrics import Metrics
from overpaint.api.native import NATIVE
from overpaint.api.public_url import Links
from overpaint.api.self_signed import self_signed
from overpaint.api.server import Listen
from overpaint.api.tunnel import Tunnel, host_names
from overpaint.compose import open_engine
from overpaint.core.config import EngineConfig
from overpaint.core.errors import ConfigError
from overpaint.core.ports import TextWriter
from overpaint.core.store_ports import AccountStore
from overpaint.engine.process.engine import ProcessEngine
from overpaint.engine.process.supervisor import Supervisor
from overpaint.images.fetch import FetchLimits, FileKind, PictureFetcher
from overpaint.images.fetch_rules import AddressRules
from overpaint.images.limits import MIB, PictureLimits
from overpaint.lora.cache import AdapterCache
from overpaint.lora.folder import AdapterFolder
from overpaint.lora.header import looks_like_safetensors
from overpaint.outputs.opening import open_outputs
from overpaint.service.adapters import AdapterSources
from overpaint.service.build import Outside, Policies, build_service
from overpaint.service.catalogue_file import read_catalogue
from overpaint.service.clock import SystemClock
from overpaint.service.enhance import ChatEnhancer, Enhancer, ModelEnhancer, RuleEnhancer
from overpaint.service.keys import Keys
from overpaint.service.links import FileLinks
from overpaint.service.opennsfw import OpenNsfwChecker
from overpaint.service.outgoing import HttpSender
from overpaint.service.safety import Safety
from overpaint.service.service import Service, ServicePorts
from overpaint.service.sweep import Retention
from overpaint.service.webhooks import WebhookFormat
from overpaint.settings import ServerSettings, model_config_of
from overpaint.store.opening import Stores, open_stores

SECRET_BYTES = 32
ADAPTER_FETCH_S = 300.0
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
        listen, bound = _listen(settings).bind()
        stack.callback(bound.close)
        _make_data_dir(settings.data_dir)
        api = _api_config(settings, listen)
        outputs = open_outputs(settings.outputs or str(settings.data_dir / "files"))
        stores = await _open_stores(settings)
        stack.push_async_callback(stores.close)
        engine = _start_engine(settings, stack)
        metrics.engine_stats = lambda: engine.stats
        ports = ServicePorts(stores.tasks, stores.accounts, outputs, engine, lambda: engine.problem)
        policies = _policies(settings)
        service = build_service(
            ports,
            _outside(settings, stores, api, policies.link_secret, engine),
            read_catalogue(settings.models_file, [row.models for row in DIALECTS if row.models is not None]),
            policies,
            _safety(settings),
            listener=metrics.saw,
        )
        loop = asyncio.get_running_loop()
        engine.on_change(lambda: loop.call_soon_threadsafe(service.dispatcher.wake))
        tunnel = Tunnel(_vendor_hosts(), settings.host)
        app = create_app(service, api, metrics=metrics)
        if settings.page:
            _add_page(app, service, stores, settings, stack)
        yield OpenServer(app, service, engine, listen, bound, tunnel, settings.proxy_port)


def _add_page(app: FastAPI, service: Service, stores: Stores, settings: ServerSettings, stack: AsyncExitStack) -> None:
    """Put the web page at ``/``."""
    from overpaint.playground.log_tail import LogTail
    from overpaint.playground.mount import add_page  # takes a second, which a server without a page need not wait
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
        base_url=settings.public_url,
    )
    add_page(app, parts)


def _make_data_dir(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"data_dir: '{folder}' cannot be made ({(exc.strerror or str(exc)).lower()})") from exc
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"data_dir: '{folder}' cannot be written by this user")


def _sqlite_file(settings: ServerSettings) -> Path:
    return settings.data_dir.resolve() / "overpaint.db"


async def _open_stores(settings: ServerSettings) -> Stores:
    url = settings.database or f"sqlite:///{_sqlite_file(settings)}"
    return await open_stores(url, lambda: datetime.now(UTC))


def _start_engine(settings: ServerSettings, stack: AsyncExitStack) -> Supervisor:
    model = model_config_of(settings)
    config = EngineConfig(
        max_running=settings.max_running,
        cache_bytes=settings.prefix_cache_mib and settings.prefix_cache_mib * MIB,
        host_cache_bytes=settings.prefix_host_mib * MIB,
        prefix_dtype=settings.prefix_dtype,
        compile=settings.compile,
        trace=settings.trace,
    )
    opener = partial(open_engine, model, config)
    engine = Supervisor(lambda on_end: ProcessEngine(opener, on_end, settings.stall_s or math.inf))
    stack.callback(engine.close)
    return engine


def _policies(settings: ServerSettings) -> Policies:
    kept = timedelta(days=settings.keep_days)
    return Policies(
        link_secret=_link_secret(settings.data_dir),
        capacity=settings.max_running * BEYOND_RUNNING,
        lease_s=settings.lease_s,
        link_lifetime_s=int(kept.total_seconds()),
        pictures=PictureLimits(max_bytes=settings.max_picture_mib * MIB),
        retention=Retention(tasks=kept, uploads=kept),
    )


def _outside(
    settings: ServerSettings, stores: Stores, api: ApiConfig, link_secret: bytes, writer: TextWriter
) -> Outside:
    rules = _address_rules(settings)
    links = FileLinks(link_secret, SystemClock(), int(timedelta(days=settings.keep_days).total_seconds()))
    return Outside(
        fetcher=PictureFetcher(rules, FetchLimits(max_bytes=settings.max_picture_mib * MIB)),
        poster=HttpSender(rules),
        formats=webhook_formats(api.link_base, links),
        webhooks=stores.webhooks,
        enhancer=_enhancer(settings, writer),
        adapters=_adapters(settings, rules),
    )


def _adapters(settings: ServerSettings, rules: AddressRules) -> AdapterSources:
    """Adapters are larger than pictures, and their servers slower."""
    limits = FetchLimits(max_bytes=settings.max_adapter_mib * MIB, total_s=ADAPTER_FETCH_S)
    fetcher = PictureFetcher(rules, limits, kind=SAFETENSORS) if settings.adapter_urls else None
    cache = AdapterCache(settings.data_dir / "adapters", settings.adapter_cache_mib * MIB)
    return AdapterSources(AdapterFolder(settings.adapters), cache, fetcher)


def _broken_safetensors(data: bytes) -> str | None:
    return None if looks_like_safetensors(data) else "is not a safetensors file, the only kind that is taken"


SAFETENSORS = FileKind("application/octet-stream", _broken_safetensors)


def webhook_formats(base: str, files: FileLinks) -> dict[str, WebhookFormat]:
    """What the webhooks of all dialects look like; their links begin with `base`."""
    rows = (NATIVE, *DIALECTS)
    return {row.name: row.webhooks(Links(base, row.prefix, files)) for row in rows if row.webhooks is not None}


def _enhancer(settings: ServerSettings, writer: TextWriter) -> Enhancer:
    if settings.enhancer_url is None:
        return ModelEnhancer(writer) if settings.enhancer == "model" else RuleEnhancer()
    return ChatEnhancer(settings.enhancer_url, settings.enhancer_model, HttpSender(None))


def _safety(settings: ServerSettings) -> Safety:
    return Safety(settings.safety, checker=OpenNsfwChecker() if settings.safety != "off" else None)


def _address_rules(settings: ServerSettings) -> AddressRules:
    allowed = tuple(entry.strip() for entry in settings.allowed_hosts.split(",") if entry.strip())
    try:
        return AddressRules(allowed)
    except ValueError as exc:
        raise ConfigError(f"allowed_hosts: {settings.allowed_hosts!r} cannot be used ({exc})") from exc


def _api_config(settings: ServerSettings, listen: Listen) -> ApiConfig:
    return ApiConfig(
        public_url=settings.public_url,
        fallback_url=listen.outer_url,
        sync_timeout_s=settings.sync_timeout_s,
        max_body_bytes=2 * settings.max_picture_mib * MIB,
        max_upload_bytes=settings.max_picture_mib * MIB,
        logs_prompts=settings.log_prompts,
    )


def _listen(settings: ServerSettings) -> Listen:
    certificate, key = settings.tls_cert, settings.tls_key
    if (certificate is None) != (key is None):
        raise ConfigError("tls_cert and tls_key: one is nothing without the other")
    if settings.tls_self_signed and certificate is None:
        hosts = () if settings.proxy_port is None else sorted(_vendor_hosts())
        _make_data_dir(settings.data_dir)
        certificate, key = self_signed(settings.data_dir, (settings.host, *hosts))
    if settings.proxy_port is not None and certificate is None:
        raise ConfigError("proxy_port: clients talk TLS through a proxy; give tls_cert and tls_key, or tls_self_signed")
    if settings.proxy_port is not None and settings.open_page:
        raise ConfigError("open_page: whoever comes through the proxy (proxy_port) looks like this very machine")
    for name, path in (("tls_cert", certificate), ("tls_key", key)):
        if path is not None and not path.is_file():
            raise ConfigError(f"{name}: '{path}' is not there")
    return Listen(settings.host, settings.port, certificate, key)


def _vendor_hosts() -> frozenset[str]:
    return host_names([entry for row in DIALECTS for entry in row.hosts])


def _link_secret(folder: Path) -> bytes:
    """Kept beside the data, so that links outlive a restart; whoever reads it can make links."""
    path = folder / "link-secret"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(SECRET_BYTES))
    return path.read_bytes()
