"""Where adapters come from, how long they stay, and what is said when one cannot be had."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from overpaint.core.errors import BackendError, RequestError
from overpaint.core.request import AdapterRef
from overpaint.core.task import TaskState
from overpaint.engine.null import NULL_INFO, NullEngine
from overpaint.lora.cache import AdapterCache
from overpaint.lora.folder import AdapterFolder
from overpaint.outputs.local import LocalOutputs
from overpaint.outputs.memory import MemoryOutputs
from overpaint.service.adapters import REMEMBERED_S, AdapterSources
from overpaint.service.draft import PictureBytes
from overpaint.service.files import input_key
from tests.reference.lora_bytes import lora_bytes
from tests.unit.lora.keeping import kept
from tests.unit.service.conftest import NewWorld
from tests.unit.service.world import FakeFetcher, World, png, until

pytestmark = pytest.mark.anyio
URL = "https://models.example/acme/pencil.safetensors"
LAYER = "transformer_blocks.0.attn.to_q"


class CountingFetcher(FakeFetcher):
    """A network that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.more = asyncio.Event()

    async def fetch(self, url: str, field: str = "images") -> bytes:
        self.asked.append(url)
        await asyncio.sleep(0)
        return await super().fetch(url, field)

    async def fetch_into(self, sink: Callable[[bytes], Awaitable[None]], url: str, field: str = "images") -> None:
        """In two pieces, with a pause between at URLs that end in ``slow``."""
        data = await self.fetch(url, field)
        await sink(data[: len(data) // 2])
        if url.endswith("slow"):
            await self.more.wait()
        await sink(data[len(data) // 2 :])


class SizedEngine(NullEngine):
    """Knows its layers."""

    info = replace(NULL_INFO, linears={LAYER: (8, 6)})  # type: ignore[assignment]


@dataclass
class Shop:
    """A world that sells adapters."""

    world: World
    fetcher: CountingFetcher
    folder: Path
    cache: Path


async def open_shop(new_world: NewWorld, tmp_path: Path, *, takes_urls: bool = True, is_started: bool = True) -> Shop:
    folder, cache, fetcher = tmp_path / "own", tmp_path / "cache", CountingFetcher()
    folder.mkdir()
    (folder / "ink.safetensors").write_bytes(lora_bytes({LAYER: (8, 6)}, seed=1))
    fetcher.pictures[URL] = lora_bytes({LAYER: (8, 6)}, seed=2)
    sources = AdapterSources(AdapterFolder(folder), AdapterCache(cache, 10**6), fetcher if takes_urls else None)
    world = await new_world(engine=SizedEngine(), adapters=sources, is_started=is_started)
    return Shop(world, fetcher, folder, cache)


@pytest.fixture
async def shop(new_world: NewWorld, tmp_path: Path) -> Shop:
    return await open_shop(new_world, tmp_path)


async def color_of(world: World, *refs: AdapterRef) -> bytes:
    task = await world.done(await world.submit(adapters=refs, seed=3))
    assert task.state is TaskState.SUCCEEDED, task.failure
    return (await world.service.files.read(task.outputs[0].file.key)).data


async def test_an_adapter_of_the_operator_is_named(shop: Shop) -> None:
    assert shop.world.service.adapters.names() == ("ink",)
    plain, inked = await color_of(shop.world), await color_of(shop.world, AdapterRef("ink"))
    assert plain != inked != await color_of(shop.world, AdapterRef("ink", 0.5))


async def test_an_adapter_of_a_url_is_fetched_once_for_many_requests(shop: Shop) -> None:
    tasks = await asyncio.gather(*(shop.world.submit(adapters=(AdapterRef(URL),), seed=seed) for seed in range(5)))
    for task in tasks:
        assert (await shop.world.done(task)).state is TaskState.SUCCEEDED
    assert shop.fetcher.asked == [URL]
    assert {adapter.name for task in tasks for adapter in task.spec.adapters} == {"pencil"}


async def test_an_adapter_of_many_requests_at_once_is_stored_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[str] = []
    put = shop.world.outputs.put

    async def slow_put(key: str, data: bytes, media_type: str) -> None:
        stored.append(key)
        await asyncio.sleep(0.01)
        await put(key, data, media_type)

    monkeypatch.setattr(shop.world.outputs, "put", slow_put)
    await asyncio.gather(*(shop.world.submit(adapters=(AdapterRef(URL),), seed=seed) for seed in range(5)))
    assert len([key for key in stored if key.startswith("inputs/")]) == 1


async def test_a_slow_place_for_files_holds_up_no_other_adapter(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    other, put, gate = "https://models.example/other.safetensors", shop.world.outputs.put_file, asyncio.Event()
    shop.fetcher.pictures[other] = lora_bytes({LAYER: (8, 6)}, seed=4)

    async def slow_put(key: str, path: Path, media_type: str) -> None:
        if key == input_key(shop.fetcher.pictures[URL]):
            await gate.wait()
        await put(key, path, media_type)

    monkeypatch.setattr(shop.world.outputs, "put_file", slow_put)
    first = asyncio.ensure_future(shop.world.submit(adapters=(AdapterRef(URL),)))
    async with asyncio.timeout(10):
        await shop.world.submit(adapters=(AdapterRef(other),))
    assert not first.done()
    gate.set()
    await shop.world.done(await first)


async def test_an_adapter_is_never_whole_in_memory(
    new_world: NewWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when it is kept, and not when it comes from there again: it may have gigabytes."""
    shop = await open_shop(new_world, tmp_path, is_started=False)
    for name in ("put", "get"):
        monkeypatch.delattr(MemoryOutputs, name)
    monkeypatch.setattr(shop.world.outputs, "put_file", LocalOutputs(tmp_path / "files").put_file, raising=False)
    monkeypatch.setattr(shop.world.outputs, "open", LocalOutputs(tmp_path / "files").open, raising=False)
    task = await shop.world.submit(adapters=(AdapterRef(URL),))
    (cached,) = shop.cache.iterdir()
    cached.unlink()
    (file,) = await shop.world.service.adapters.open(task.spec.adapters)
    assert await asyncio.to_thread(Path(file.path).read_bytes) == shop.fetcher.pictures[URL]


async def test_what_is_behind_a_url_is_looked_at_again_after_an_hour(shop: Shop) -> None:
    first = await shop.world.submit(adapters=(AdapterRef(URL),))
    shop.fetcher.pictures[URL] = lora_bytes({LAYER: (8, 6)}, seed=9)
    same = await shop.world.submit(adapters=(AdapterRef(URL),))
    shop.world.clock.passed_s += REMEMBERED_S + 1
    other = await shop.world.submit(adapters=(AdapterRef(URL),))
    assert first.spec.adapters == same.spec.adapters != other.spec.adapters


async def test_an_upload_of_ones_own_is_taken_by_its_link(shop: Shop) -> None:
    service = shop.world.service
    key = service.files.reserve(shop.world.caller)
    await service.files.upload(key, lora_bytes({LAYER: (8, 6)}, seed=5), "mine.safetensors")
    url = f"https://this.example{service.links.link(key)}"
    assert await color_of(shop.world) != await color_of(shop.world, AdapterRef(url))
    assert shop.fetcher.asked == []


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("acme/pencil", r"is not an adapter of this server \(it has ink\).*https URL"),
        ("../own/ink", "is not an adapter"),
        ("/etc/passwd", "is not an adapter"),
        ("https://models.example/none.safetensors", "answers 404"),
        ("https://models.example/other.safetensors", "no linear layer 'blocks.0.fc'"),
        ("https://models.example/narrow.safetensors", r"must be \[rank, 6\]"),
    ],
)
async def test_an_adapter_that_cannot_be_had_or_used_is_told_by_field_and_leaves_nothing(
    shop: Shop, source: str, says: str
) -> None:
    shop.fetcher.pictures["https://models.example/other.safetensors"] = lora_bytes({"blocks.0.fc": (8, 6)})
    shop.fetcher.pictures["https://models.example/narrow.safetensors"] = lora_bytes({LAYER: (8, 5)})
    with pytest.raises(RequestError, match=says) as refusal:
        await shop.world.submit(adapters=(AdapterRef("ink"), AdapterRef(source)))
    assert (refusal.value.field, refusal.value.code) == ("adapters[1]", "invalid_request")
    assert not shop.world.heard


async def test_urls_can_be_switched_off(new_world: NewWorld, tmp_path: Path) -> None:
    shop = await open_shop(new_world, tmp_path, takes_urls=False)
    with pytest.raises(RequestError, match="takes no adapters from URLs"):
        await shop.world.submit(adapters=(AdapterRef(URL),))
    with pytest.raises(RequestError, match=r"put it into the adapters' folder$"):
        await shop.world.submit(adapters=(AdapterRef("acme/pencil"),))


async def test_a_queued_task_finds_its_adapter_after_the_cache_was_lost(new_world: NewWorld, tmp_path: Path) -> None:
    shop = await open_shop(new_world, tmp_path, is_started=False)
    task = await shop.world.submit(adapters=(AdapterRef(URL),))
    for path in shop.cache.iterdir():
        path.unlink()
    shop.fetcher.pictures.clear()
    await shop.world.service.start()
    assert (await shop.world.done(task)).state is TaskState.SUCCEEDED


async def test_an_own_adapter_that_changed_meanwhile_fails_the_task_in_words(
    new_world: NewWorld, tmp_path: Path
) -> None:
    shop = await open_shop(new_world, tmp_path, is_started=False)
    task = await shop.world.submit(adapters=(AdapterRef("ink"),))
    (shop.folder / "ink.safetensors").write_bytes(lora_bytes({LAYER: (8, 6)}, seed=8))
    await shop.world.service.start()
    failure = (await shop.world.done(task)).failure
    assert failure is not None
    assert "changed or gone" in failure.message


async def test_adapters_are_swept_with_their_tasks_and_not_before(new_world: NewWorld, tmp_path: Path) -> None:
    shop = await open_shop(new_world, tmp_path)
    world = shop.world
    picture = PictureBytes(png())
    task = await world.done(await world.submit(adapters=(AdapterRef(URL),), pictures=(picture,)))
    key = task.spec.adapters[0].key
    assert key is not None
    world.clock.passed_s += 3700
    assert await world.service.sweeper.sweep() == 0
    world.clock.passed_s += 8 * 24 * 3600
    assert await world.service.sweeper.sweep() == 3
    await world.submit(adapters=(AdapterRef(URL),))
    assert await world.outputs.get(key)


async def test_what_is_fetched_is_written_as_it_arrives_and_a_part_is_not_left(shop: Shop) -> None:
    url = "https://models.example/slow"
    shop.fetcher.pictures[url] = bytes(10**6)
    asked = asyncio.create_task(shop.world.submit(adapters=(AdapterRef(url),)))
    await until(lambda: shop.cache.is_dir() and sum(path.stat().st_size for path in shop.cache.iterdir()) > 400_000)
    assert [path.suffix for path in shop.cache.iterdir()] == [".part"]
    shop.fetcher.more.set()
    with pytest.raises(RequestError, match="not a safetensors file"):
        await asked
    assert ".part" not in {path.suffix for path in shop.cache.iterdir()}


async def test_a_folder_that_cannot_be_written_is_no_fault_of_the_url(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("overpaint.lora.cache.Arriving.write", full)
    with pytest.raises(BackendError, match=r"cannot be written \(No space left on device\)"):
        await shop.world.submit(adapters=(AdapterRef(URL),))
    assert list(shop.cache.iterdir()) == []


def test_a_file_is_on_the_disk_before_it_is_called_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut it would have its name, which nobody doubts again, and not its content."""
    flushed: list[list[str]] = []
    monkeypatch.setattr(os, "fsync", lambda _: flushed.append([path.suffix for path in tmp_path.iterdir()]))
    _, path = kept(AdapterCache(tmp_path, 250), b"abc")
    assert (flushed, path.read_bytes()) == ([[".part"]], b"abc")


def test_what_a_process_left_that_died_goes_with_the_next_file(tmp_path: Path) -> None:
    for name, age_s in (("old.part", 3700), ("young.part", 60)):
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - age_s, time.time() - age_s))
    kept(AdapterCache(tmp_path, 250), b"abc")
    assert [path.name for path in tmp_path.glob("*.part")] == ["young.part"]


def test_the_cache_keeps_what_is_new_and_lets_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = AdapterCache(tmp_path / "cache", 250)
    digests = [kept(cache, bytes([value]) * 100)[0] for value in range(3)]
    assert all(cache.find(digest) for digest in digests), "what was just used may be about to be opened"
    monkeypatch.setattr("overpaint.lora.cache.time.time", lambda: 10**11)
    newest = kept(cache, b"x" * 100)[0]
    assert [cache.find(digest) is not None for digest in (*digests, newest)] == [False, False, True, True]
