"""HTTP requests of the server's own: webhooks to URLs that callers name, and chat services that the settings name.

The first go through the guard that also fetches pictures; the second are the operator's word and go anywhere.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpcore2

from overpaint.core.errors import BackendError
from overpaint.images.fetch_guard import GuardedBackend, RefusedAddressError, Resolver, system_resolver
from overpaint.images.fetch_rules import AddressRules, read_target

MAX_ANSWER_BYTES = 1024 * 1024
CONNECT_S = 5.0
"""For one address: a host that has several, of which one is silent, is reached all the same."""


@dataclass(slots=True)
class _Answer:
    """What has arrived of an answer; its status is 0 until it is there."""

    status: int = 0
    body: bytearray = field(default_factory=bytearray)


class HttpSender:
    """Posts, without redirects, proxies or cookies.

    Args:
        rules: which addresses may be asked; None asks anybody.
        resolver: names to addresses.
        ssl_context: whom to trust; None trusts whom the system trusts.
        backend: opens connections; None is the machine's network.
    """

    def __init__(
        self,
        rules: AddressRules | None,
        resolver: Resolver = system_resolver,
        ssl_context: ssl.SSLContext | None = None,
        backend: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._backend = GuardedBackend(rules, resolver, backend)
        self._ssl_context = ssl_context

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> int:
        """See `webhooks.HttpPoster.post`. A status that arrived counts, whatever becomes of the body behind it."""
        answer = _Answer()
        try:
            await self._send(answer, url, headers, body, timeout_s)
        except BackendError:
            if not answer.status:
                raise
        return answer.status

    async def post_json(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> bytes:
        """See `enhance.JsonPoster.post_json`."""
        answer = _Answer()
        await self._send(answer, url, headers, body, timeout_s)
        if not 200 <= answer.status < 300:
            raise BackendError(f"{url} answers {answer.status}")
        return bytes(answer.body)

    async def _send(self, answer: _Answer, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._exchange(answer, url, headers, body)
        except TimeoutError as exc:
            raise BackendError(f"no answer within {timeout_s:g} s") from exc
        except (ValueError, RefusedAddressError) as exc:
            raise BackendError(f"the URL {exc}") from exc
        except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as exc:
            raise BackendError(str(exc).strip() or type(exc).__name__) from exc

    async def _exchange(self, answer: _Answer, url: str, headers: Mapping[str, str], body: bytes) -> None:
        target = read_target(url)
        if target.scheme == "https" and self._ssl_context is None:
            self._ssl_context = httpcore2.default_ssl_context()
        where = httpcore2.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
        )
        sent: list[tuple[bytes | str, bytes | str]] = [("Host", target.authority), ("User-Agent", "overpaint")]
        sent += [("Content-Length", str(len(body))), *headers.items()]
        pool = httpcore2.AsyncConnectionPool(network_backend=self._backend, ssl_context=self._ssl_context)
        limits = {"timeout": {"connect": CONNECT_S}}
        async with pool, pool.stream("POST", where, headers=sent, content=body, extensions=limits) as response:
            answer.status = response.status
            async for chunk in response.aiter_stream():
                answer.body += chunk
                if len(answer.body) > MAX_ANSWER_BYTES:
                    break  # nobody needs more of an acknowledgement
