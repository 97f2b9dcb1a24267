"""Connections that cannot be tricked: resolve once, check every answer, connect to the very address that was checked.

TLS and the `Host` header still speak of the name, because only the connecting is replaced. Whatever a later DNS answer
says does not matter: it is not asked again.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import cast

import httpcore2

from overpaint.core.own_threads import OwnThreads
from overpaint.images.fetch_rules import AddressRules

Resolver = Callable[[str, int], Awaitable[list[str]]]
_SocketOptions = Iterable[httpcore2.SOCKET_OPTION] | None
_LOOK_UPS = OwnThreads("overpaint-resolver", 32)


class RefusedAddressError(Exception):
    """The host may not be talked to; the message is a clause."""


async def system_resolver(host: str, port: int) -> list[str]:
    """Ask the machine's resolver, which may take minutes; addresses in its order, each once.

    Raises:
        OSError: the name is not known, or cannot be one.
    """
    try:
        answers = await _LOOK_UPS.run(partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM))
    except UnicodeError as exc:
        raise OSError("not a host name") from exc
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Opens TCP connections to allowed addresses only.

    Args:
        rules: what is allowed; None allows everything.
        resolver: names to addresses.
        backend: opens the connections.
    """

    def __init__(
        self,
        rules: AddressRules | None,
        resolver: Resolver = system_resolver,
        backend: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._rules = rules
        self._resolve = resolver
        self._backend = backend or cast(httpcore2.AsyncNetworkBackend, httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  the interface's own
        local_address: str | None = None,
        socket_options: _SocketOptions = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first reachable address of `host`.

        Raises:
            RefusedAddressError: one of its addresses is not allowed.
            httpcore2.ConnectError: none of them answers, or the name is not known.
            httpcore2.ConnectTimeout: the last of them, or the look-up of the name, takes longer than `timeout`.
        """
        error: Exception = httpcore2.ConnectError("has no address")
        for address in await self._checked_addresses(host, port, timeout):
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as exc:
                error = exc
        raise error

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ARG002, ASYNC109  the interface's own
        socket_options: _SocketOptions = None,  # noqa: ARG002
    ) -> httpcore2.AsyncNetworkStream:
        """Refuse: no URL leads to a socket file."""
        raise RefusedAddressError("leads to a socket file")

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await self._backend.sleep(seconds)

    async def _checked_addresses(self, host: str, port: int, timeout_s: float | None) -> list[str]:
        """All addresses of a host; one that is not allowed spoils them all, for that is how rebinding looks."""
        try:
            async with asyncio.timeout(timeout_s):
                addresses = await self._resolve(host, port)
        except TimeoutError as exc:
            raise httpcore2.ConnectTimeout("has a host name that is not looked up in time") from exc
        except OSError as exc:
            raise httpcore2.ConnectError("has a host name that is not known") from exc
        for address in addresses:
            if self._rules and (refusal := self._rules.refusal(host, address)):
                raise RefusedAddressError(refusal)
        return addresses
