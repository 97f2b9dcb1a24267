"""A server from its settings to its end: opens it, makes the first key, says where it listens and when it can paint."""

import asyncio
import gc
import logging
import math
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from functools import partial

import uvloop

from overpaint.api.log import configure_logs
from overpaint.api.server import Listen, Server
from overpaint.api.tunnel import open_tunnel
from overpaint.compose.open_files import allow_many
from overpaint.compose.server import OpenServer, open_server
from overpaint.core.errors import ConfigError, OverpaintError, RequestError
from overpaint.service.keys import Keys
from overpaint.settings import ServerSettings

FIRST_KEY = "first"
_log = logging.getLogger(__name__)
Say = Callable[[str], None]
GC_THRESHOLDS = (20_000, 20, 20)
"""A request makes some thousand objects and hardly a cycle: with Python's own 700, a tenth of the time is spent."""


def run_server(settings: ServerSettings, say: Say) -> None:
    """Serve until asked to stop.

    Args:
        settings: what the server is told.
        say: writes a line for people; raises `OSError` where there is nobody to read it.

    Raises:
        ConfigError: a setting, the checkpoint or the device cannot be used.
        BackendError: the database is out of reach.
    """
    allow_many()
    configure_logs(settings.log_level, shows_prompts=settings.log_prompts)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, say))


async def _serve(settings: ServerSettings, say: Say) -> None:
    async with open_server(settings) as opened, AsyncExitStack() as stack:
        _spare_the_collector()
        proxy_port = await _open_proxy(opened, stack)
        listening = asyncio.Event()
        server = Server(opened.app, opened.listen, listening.set)
        greeting = partial(_greeting, opened.listen, settings.public_url, proxy_port)
        coming_up = asyncio.create_task(_come_up(opened, server, listening, greeting, say))
        await server.serve(sockets=[opened.socket])
        coming_up.cancel()
        with suppress(asyncio.CancelledError):
            await coming_up


async def _come_up(
    opened: OpenServer, server: Server, listening: asyncio.Event, greeting: Callable[[], list[str]], say: Say
) -> None:
    """Greet, show the first key, and say when pictures can be painted.

    The key is made when nothing refuses the start any more, and shown at once: one that is made is seen.

    Raises:
        ConfigError: the checkpoint or the device cannot be used; starting the engine again would not mend that.
        BackendError: the first key cannot be stored.
    """
    await listening.wait()
    opened.tunnel.port = opened.listen.port
    try:
        secret = await _first_key(opened.service.keys)
        for line in greeting():
            _tell(say, line)
        if secret is not None:
            await _show_first_key(opened.service.keys, secret, say)
        is_ready = await asyncio.to_thread(opened.engine.wait_ready, math.inf)
    except OverpaintError:
        server.stop()
        raise
    if is_ready:
        info = opened.engine.info
        _tell(say, f"Ready: {info.name} on {info.device} in {info.dtype}")


def _greeting(listen: Listen, public_url: str | None, proxy_port: int | None) -> list[str]:
    """Where the server is reached."""
    lines = [f"Overpaint listens at {listen.url} (the API: {listen.url}/docs)"]
    if public_url is None:
        lines.append(f"Links in webhooks begin with {listen.outer_url}; --public-url names another address")
    if proxy_port is not None:
        lines.append(f"Proxy for clients with fixed hosts: http://localhost:{proxy_port}")
    return lines


async def _first_key(keys: Keys) -> str | None:
    """A key for a server that has none: else nobody could begin."""
    if await keys.list_keys():
        return None
    try:
        _, secret = await keys.create(FIRST_KEY, is_admin=True)
    except RequestError:
        return None  # another server on the database was first
    return secret


async def _show_first_key(keys: Keys, secret: str, say: Say) -> None:
    """Show it; what nobody has seen is not left in force."""
    if not _tell(say, f"API key, shown this once: {secret}"):
        await keys.revoke(FIRST_KEY)
        _log.warning("the first key could not be shown and was revoked; make one: overpaint keys create NAME --admin")


def _tell(say: Say, line: str) -> bool:
    """Say a line; whether it could be written. Who listens no more (a pipe, a full disk) does not end a server."""
    try:
        say(line)
    except OSError as exc:
        _log.warning("what is said to people cannot be written: %s", exc.strerror or exc)
        return False
    return True


async def _open_proxy(opened: OpenServer, stack: AsyncExitStack) -> int | None:
    """The port of the proxy, when there is to be one.

    Raises:
        ConfigError: it cannot be listened on.
    """
    if opened.proxy_port is None:
        return None
    try:
        return await stack.enter_async_context(open_tunnel(opened.tunnel, opened.listen.host, opened.proxy_port))
    except OSError as exc:
        raise ConfigError(f"proxy_port: {opened.proxy_port} cannot be listened on ({exc.strerror or exc})") from exc


def _spare_the_collector() -> None:
    """What is loaded by now stays until the end: looking through it for garbage would hold every request up."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
