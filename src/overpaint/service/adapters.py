"""An adapter in a request to a checked file that an engine can open, wherever it came from. Knows no tensors.

The operator's own are named and stay where they are. Those of a URL are kept as inputs of their tasks are. Nothing is
ever asked of a hub: what a caller calls ``owner/name`` must be in the operator's folder.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from overpaint.core.errors import AccessError, BackendError, PictureError, RequestError, TaskError
from overpaint.core.output_ports import OutputStore
from overpaint.core.request import AdapterFile, AdapterRef
from overpaint.core.task import StoredAdapter
from overpaint.lora.cache import AdapterCache
from overpaint.lora.factors import Linears, find_factors
from overpaint.lora.folder import AdapterFolder
from overpaint.lora.header import read_header
from overpaint.service.clock import ServiceClock
from overpaint.service.files import INPUTS, OTHER_MEDIA_TYPE
from overpaint.service.links import FILES_PATH, FileLinks

T = TypeVar("T")
Sink = Callable[[bytes], Awaitable[None]]
"""Takes the pieces of a file."""
REMEMBERED_S = 3600.0
"""A URL is asked again after this long: what is behind it may have changed."""
KEPT_S = 1200.0
"""A file is written to the store again after this long, so that it never looks forgotten; see `sweep`."""


class FileFetcher(Protocol):
    """Fetches adapters over the network."""

    async def fetch_into(self, sink: Sink, url: str, field: str = "images") -> None:
        """Give away the file behind a URL as it arrives.

        Raises:
            PictureError: it may not or cannot be fetched, or is no adapter.
        """
        ...


@dataclass(frozen=True, slots=True)
class AdapterSources:
    """Where adapters may come from.

    Args:
        folder: the operator's own.
        cache: for those of others; None takes none.
        fetcher: asks the network for them; None does not.
    """

    folder: AdapterFolder
    cache: AdapterCache | None = None
    fetcher: FileFetcher | None = None


class AdapterDesk:
    """Takes adapters in.

    Args:
        sources: where from.
        outputs: where files are.
        links: recognises our own URLs.
        linears: of the loaded checkpoint; raises `BackendError` while none was ever loaded.
        clock: tells the time.
    """

    def __init__(
        self,
        sources: AdapterSources,
        outputs: OutputStore,
        links: FileLinks,
        linears: Callable[[], Linears],
        clock: ServiceClock,
    ) -> None:
        self._sources = sources
        self._outputs = outputs
        self._links = links
        self._linears = linears
        self._clock = clock
        self._known_urls: dict[str, tuple[str, float]] = {}
        self._kept: dict[str, float] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def names(self) -> tuple[str, ...]:
        """What the operator has to offer, in order."""
        return self._sources.folder.names()

    async def take(self, refs: Sequence[AdapterRef]) -> tuple[StoredAdapter, ...]:
        """Find adapters and see that they fit the checkpoint.

        Raises:
            RequestError: one cannot be had or used.
            BackendError: no checkpoint was ever loaded.
        """
        return tuple([await self._take(ref, f"adapters[{index}]") for index, ref in enumerate(refs)])

    async def keep(self, adapters: Sequence[StoredAdapter]) -> None:
        """Store those that callers sent; the same content twice is one file, and written once."""
        for adapter in adapters:
            if adapter.key is not None:
                async with self._lock(adapter.digest):
                    await self._keep(adapter.digest, adapter.key)

    async def open(self, adapters: Sequence[StoredAdapter]) -> tuple[AdapterFile, ...]:
        """The files of a stored task's adapters.

        Raises:
            RequestError: one of the operator's own has gone or changed.
            TaskError: another one is gone.
        """
        paths = [await self._path_of(adapter) for adapter in adapters]
        return tuple(
            AdapterFile(adapter.name, adapter.digest, str(path.resolve()), adapter.scale)
            for adapter, path in zip(adapters, paths, strict=True)
        )

    async def _keep(self, digest: str, key: str) -> None:
        is_old = self._now_s() - self._kept.get(digest, -KEPT_S) >= KEPT_S
        if (path := self._cached(digest)) and is_old:
            await self._outputs.put_file(key, path, OTHER_MEDIA_TYPE)
            self._kept[digest] = self._now_s()

    async def _take(self, ref: AdapterRef, field: str) -> StoredAdapter:
        if "://" in ref.source or ref.source.startswith(FILES_PATH):
            digest, path = await self._by_url(ref.source, field)
            name = Path(urlsplit(ref.source).path).stem or "adapter"
            adapter = StoredAdapter(name, digest, ref.scale, f"{INPUTS}{digest}")
        else:
            path = self._by_name(ref, field)
            digest = await asyncio.to_thread(self._sources.folder.digest, path)
            adapter = StoredAdapter(self._sources.folder.name_of(path), digest, ref.scale)
        await asyncio.to_thread(self._judge, path, ref.source, field)
        return adapter

    def _by_name(self, ref: AdapterRef, field: str) -> Path:
        if (path := self._sources.folder.find(ref)) is not None:
            return path
        known = ", ".join(self.names()) or "none"
        urls = "" if self._sources.fetcher is None else "; or give an https URL of a .safetensors file"
        rule = f"is not an adapter of this server (it has {known}). Have its operator put it into the adapters' folder"
        raise RequestError(field, ref.source, f"{rule}{urls}")

    def _judge(self, path: Path, source: str, field: str) -> None:
        try:
            find_factors(read_header(path), self._linears())
        except ValueError as exc:
            raise RequestError(field, source, str(exc)) from exc

    async def _by_url(self, url: str, field: str) -> tuple[str, Path]:
        """What is behind a URL; those who ask for the same one wait for the first."""
        async with self._lock(url):
            digest, until = self._known_urls.get(url, ("", 0.0))
            path = self._cached(digest) if self._now_s() < until else None
            if path is not None:
                return digest, path
            digest, path = await self._ask(url, field)
            self._remember(url, digest)
            return digest, path

    def _lock(self, url_or_digest: str) -> asyncio.Lock:
        return self._locks.setdefault(url_or_digest, asyncio.Lock())

    def _remember(self, url: str, digest: str) -> None:
        now_s = self._now_s()
        self._known_urls = {url: known for url, known in self._known_urls.items() if known[1] > now_s}
        self._known_urls[url] = (digest, now_s + REMEMBERED_S)

    async def _ask(self, url: str, field: str) -> tuple[str, Path]:
        try:
            key = self._links.key_of(url)
        except AccessError as exc:
            raise RequestError(field, url, "is a link that has expired") from exc
        if key is not None:
            try:
                return await self._restore(key)
            except TaskError as exc:
                raise RequestError(field, url, "is not stored here (any more)") from exc
        fetcher = self._sources.fetcher
        if fetcher is None:
            raise RequestError(field, url, "is a URL, and this server takes no adapters from URLs of others")
        try:
            return await self._arrive(lambda sink: fetcher.fetch_into(sink, url, field))
        except PictureError as exc:
            raise RequestError(field, url, exc.rule) from exc

    async def _path_of(self, adapter: StoredAdapter) -> Path:
        if adapter.key is None:
            return await self._own(adapter)
        return self._cached(adapter.digest) or (await self._restore(adapter.key))[1]

    async def _own(self, adapter: StoredAdapter) -> Path:
        path = self._sources.folder.find(AdapterRef(adapter.name))
        try:
            is_same = path is not None and await asyncio.to_thread(self._sources.folder.digest, path) == adapter.digest
        except OSError:
            is_same = False
        if path is None or not is_same:
            raise RequestError("adapters", adapter.name, "has changed or gone since it was asked for; ask again")
        return path

    def _cached(self, digest: str) -> Path | None:
        return self._sources.cache.find(digest) if self._sources.cache and digest else None

    async def _restore(self, key: str) -> tuple[str, Path]:
        async def pour(sink: Sink) -> None:
            async with self._outputs.open(key) as file:
                async for piece in file.pieces:
                    await sink(piece)

        return await self._arrive(pour)

    async def _arrive(self, pour: Callable[[Sink], Awaitable[None]]) -> tuple[str, Path]:
        """Written as it arrives: it may be large, and slow, and one of many."""
        cache = self._cache()
        with _mapped_failures(), cache.arriving() as arriving:
            await pour(lambda piece: _on_disk(lambda: arriving.write(piece)))
            return await _on_disk(lambda: cache.keep(arriving))

    def _cache(self) -> AdapterCache:
        if self._sources.cache is None:
            raise BackendError("this server has no folder for adapters of others")
        return self._sources.cache

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


async def _on_disk(work: Callable[[], T]) -> T:
    with _mapped_failures():
        return await asyncio.to_thread(work)


@contextmanager
def _mapped_failures() -> Generator[None]:
    try:
        yield
    except OSError as exc:
        raise BackendError(f"an adapter cannot be written ({exc.strerror or exc})") from exc


NO_ADAPTERS = AdapterSources(AdapterFolder(None))
