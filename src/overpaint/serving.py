"""A server from its settings to its end: opens it, makes the first key, says where it listens and when it can paint."""

import asyncio
import gc
import math
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress

import uvloop

from overpaint.api.log import configure_logs
from overpaint.api.server import Server
from overpaint.api.tunnel import open_tunnel
from overpaint.compose.server import OpenServer, open_server
from overpaint.core.errors import ConfigError
from overpaint.settings import ServerSettings

FIRST_KEY = "first"
GC_THRESHOLDS = (20_000, 20, 20)
"""A request makes some thousand objects and hardly a cycle: with Python's own 700, a tenth of the time is spent."""


def run_server(settings: ServerSettings, say: Callable[[str], None]) -> None:
    """Serve until asked to stop.

    Args:
        settings: what the server is told.
        say: writes a line for people.

    Raises:
        ConfigError: a setting, the checkpoint or the device cannot be used.
        BackendError: the database is out of reach.
    """
    configure_logs(level=settings.log_level, shows_prompts=settings.log_prompts)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, say))


async def _serve(settings: ServerSettings, say: Callable[[str], None]) -> None:
    async with open_server(settings) as opened:
        listening = asyncio.Event()

        def greet() -> None:
            url = opened.listen.url
            opened.tunnel.port = opened.listen.port
            say(f"Overpaint listens at {url} (the API: {url}/docs)")
            if settings.public_url is None:
                say(f"Links in webhooks begin with {opened.listen.outer_url}; --public-url names another address")
            if proxy_port is not None:
                say(f"Proxy for clients with fixed hosts: http://localhost:{proxy_port}")
            if secret is not None:
                say(f"API key, shown this once: {secret}")
            listening.set()

        _spare_the_collector()
        async with AsyncExitStack() as stack:
            proxy_port = await _open_proxy(opened, stack)
            secret = await _first_key(opened)  # nothing refuses the settings from here on: a key that is made is shown
            server = Server(opened.app, opened.listen, greet)
            loading = asyncio.create_task(_see_it_load(opened, server, listening, say))
            await server.serve(sockets=[opened.socket])
            loading.cancel()
            with suppress(asyncio.CancelledError):
                await loading


async def _see_it_load(
    opened: OpenServer, server: Server, listening: asyncio.Event, say: Callable[[str], None]
) -> None:
    """Say that pictures can be painted now, or stop the server for what starting the engine again would not mend.

    Raises:
        ConfigError: the checkpoint or the device cannot be used.
    """
    await listening.wait()
    try:
        is_ready = await asyncio.to_thread(opened.engine.wait_ready, math.inf)
    except ConfigError:
        server.stop()
        raise
    if is_ready:
        info = opened.engine.info
        say(f"Ready: {info.name} on {info.device} in {info.dtype}")


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


async def _first_key(opened: OpenServer) -> str | None:
    """A key for a server that has none: else nobody could begin."""
    if await opened.service.keys.list_keys():
        return None
    _, secret = await opened.service.keys.create(FIRST_KEY, is_admin=True)
    return secret
