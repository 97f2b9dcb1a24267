"""`OutputStore`: every adapter keeps files the same way."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore

from overpaint.core.errors import BackendError, ConfigError, TaskNotFoundError
from overpaint.core.output_ports import ListedFile, OutputStore
from overpaint.outputs.local import LocalOutputs
from overpaint.outputs.memory import MemoryOutputs
from overpaint.outputs.objects import ObjectOutputs
from overpaint.outputs.opening import open_outputs
from tests.contract.outputs.conftest import s3_place

pytestmark = pytest.mark.anyio
LARGE = bytes(range(256)) * 36_000  # more than two pieces anywhere
NOW = timedelta(seconds=-5)  # a server's clock may round up


async def keys_of(outputs: OutputStore, prefix: str, older_than: timedelta = NOW) -> list[str]:
    return sorted([file.key async for file in outputs.list_files(prefix, older_than=older_than)])


async def test_a_file_comes_back_as_it_was_put(outputs: OutputStore) -> None:
    data = bytes(range(256)) * 1000
    await outputs.put("outputs/a/0.png", data, "image/png")
    assert await outputs.get("outputs/a/0.png") == data


async def test_a_second_put_replaces_the_first(outputs: OutputStore) -> None:
    for data in (b"one", b"two"):
        await outputs.put("inputs/a", data, "image/png")
    assert await outputs.get("inputs/a") == b"two"


async def test_a_file_on_the_disk_is_stored_whole_and_replaces_what_was_there(
    outputs: OutputStore, tmp_path: Path
) -> None:
    for name, data in (("small", b"one"), ("empty", b""), ("large", LARGE)):
        (tmp_path / name).write_bytes(data)
        await outputs.put_file("inputs/a", tmp_path / name, "application/octet-stream")
        assert await outputs.get("inputs/a") == data
    with pytest.raises(BackendError, match="cannot be read"):
        await outputs.put_file("inputs/a", tmp_path / "gone", "application/octet-stream")
    with pytest.raises(TaskNotFoundError):
        await outputs.put_file("../secret", tmp_path / "small", "application/octet-stream")
    assert await outputs.get("inputs/a") == LARGE


@pytest.mark.parametrize("data", [b"", b"x", LARGE])
async def test_a_file_is_read_piece_by_piece(outputs: OutputStore, data: bytes) -> None:
    await outputs.put("inputs/a", data, "application/octet-stream")
    async with outputs.open("inputs/a") as file:
        pieces = [piece async for piece in file.pieces]
    assert (file.num_bytes, b"".join(pieces)) == (len(data), data)


async def test_no_piece_of_a_large_file_is_all_of_it(outputs: OutputStore) -> None:
    if isinstance(outputs, MemoryOutputs):
        pytest.skip("it is in memory as it is")
    await outputs.put("inputs/a", LARGE, "application/octet-stream")
    async with outputs.open("inputs/a") as file:
        assert max([len(piece) async for piece in file.pieces]) <= 4 * 2**20


async def test_a_file_in_a_folder_is_read_to_its_end_though_it_is_replaced_or_deleted(tmp_path: Path) -> None:
    outputs = LocalOutputs(tmp_path)
    for change in (outputs.delete(["inputs/a"]), outputs.put("inputs/a", b"new", "image/png")):
        await outputs.put("inputs/a", LARGE, "image/png")
        async with outputs.open("inputs/a") as file:
            data = await anext(file.pieces)
            await change
            assert data + b"".join([piece async for piece in file.pieces]) == LARGE


async def test_an_object_that_goes_while_it_is_read_is_not_found() -> None:
    outputs = ObjectOutputs(MemoryStore())
    await outputs.put("inputs/a", LARGE, "image/png")
    async with outputs.open("inputs/a") as file:
        await anext(file.pieces)
        await outputs.delete(["inputs/a"])
        with pytest.raises(TaskNotFoundError):
            await anext(file.pieces)


async def test_a_list_says_how_large_files_are_and_holds_the_youngest(outputs: OutputStore) -> None:
    await outputs.put("inputs/a", b"four", "image/png")
    assert [file async for file in outputs.list_files("inputs/")] == [ListedFile("inputs/a", 4)]


@pytest.mark.parametrize("key", ["outputs/none.png", "../secret", "/etc/passwd", "outputs/../../x", ".incoming/x", ""])
async def test_what_is_not_there_is_not_found(outputs: OutputStore, key: str) -> None:
    with pytest.raises(TaskNotFoundError):
        await outputs.get(key)
    with pytest.raises(TaskNotFoundError):
        async with outputs.open(key):
            pass


async def test_deleting_twice_and_deleting_nothing_do_not_matter(outputs: OutputStore) -> None:
    await outputs.put("outputs/a/0.png", b"x", "image/png")
    await outputs.delete(["outputs/none", "outputs/a/0.png", "outputs/a/0.png"])
    await outputs.delete([])
    with pytest.raises(TaskNotFoundError):
        await outputs.get("outputs/a/0.png")


async def test_only_what_is_old_enough_is_deleted_as_old(outputs: OutputStore) -> None:
    await outputs.put("inputs/a", b"x", "image/png")
    assert not await outputs.delete_old("inputs/a", older_than=timedelta(hours=1))
    assert not await outputs.delete_old("inputs/none", older_than=NOW)
    assert await outputs.get("inputs/a") == b"x"
    assert await outputs.delete_old("inputs/a", older_than=NOW)
    assert await keys_of(outputs, "inputs/") == []


async def test_lists_hold_what_is_below_a_prefix_and_old_enough(outputs: OutputStore) -> None:
    for key in ("outputs/a/0.png", "outputs/b/0.png", "outputs2/c.png", "inputs/d"):
        await outputs.put(key, b"x", "image/png")
    assert await keys_of(outputs, "outputs/") == ["outputs/a/0.png", "outputs/b/0.png"]
    assert await keys_of(outputs, "outputs") == ["outputs/a/0.png", "outputs/b/0.png"]
    assert await keys_of(outputs, "outputs/", timedelta(hours=1)) == []
    assert await keys_of(outputs, "nothing/") == []


@pytest.mark.parametrize("name", [b".DS_Store", b"a copy.png", "caf\u00e9.png".encode(), b"\xff.png"])
async def test_what_others_put_into_the_folder_is_not_listed(tmp_path: Path, name: bytes) -> None:
    """A file browser, a network file system, a person: a sweep that asked for such a file ended there."""
    outputs = LocalOutputs(tmp_path)
    await outputs.put("inputs/a", b"x", "image/png")
    (tmp_path / "inputs" / os.fsdecode(name)).write_bytes(b"theirs")
    assert await keys_of(outputs, "inputs/") == ["inputs/a"]


async def test_what_others_put_into_the_bucket_is_not_listed() -> None:
    store = MemoryStore()
    outputs = ObjectOutputs(store)
    await outputs.put("inputs/a", b"x", "image/png")
    await obstore.put_async(store, "inputs/a copy.png", b"theirs")
    assert await keys_of(outputs, "inputs/") == ["inputs/a"]


async def test_a_check_leaves_no_file_among_the_others(outputs: OutputStore) -> None:
    await outputs.check()
    assert await keys_of(outputs, "outputs/") == []
    assert await keys_of(outputs, "inputs/") == []


async def test_a_folder_emptied_and_filled_at_once_loses_nothing(tmp_path: Path) -> None:
    """Removing the last file of a folder removes the folder, which another file is about to enter."""
    outputs = LocalOutputs(tmp_path)
    for _ in range(20):
        await outputs.put("outputs/a/0.png", b"x", "image/png")
        await asyncio.gather(outputs.delete(["outputs/a/0.png"]), outputs.put("outputs/a/1.png", b"y", "image/png"))
        assert await outputs.get("outputs/a/1.png") == b"y"


async def test_a_check_clears_what_interrupted_writes_left(tmp_path: Path) -> None:
    outputs = LocalOutputs(tmp_path)
    await outputs.check()
    old, young = tmp_path / ".incoming" / "old", tmp_path / ".incoming" / "young"
    for draft in (old, young):
        draft.write_bytes(b"x")
    os.utime(old, (0, time.time() - 7200))
    await outputs.check()
    assert [draft.exists() for draft in (old, young)] == [False, True]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte."""
    disk = tmp_path / "small"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True)
    if mount.returncode:
        pytest.skip("a small file system can only be mounted by root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


async def test_a_full_disk_is_said_and_nothing_is_left_or_lost(small_disk: Path) -> None:
    outputs = LocalOutputs(small_disk)
    await outputs.put("outputs/a/0.png", b"first", "image/png")
    with pytest.raises(BackendError, match="no space"):
        await outputs.put("outputs/a/0.png", b"x" * 2**21, "image/png")
    assert await outputs.get("outputs/a/0.png") == b"first"
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 900 * 1024)
    with pytest.raises(BackendError):
        await outputs.put("outputs/b/0.png", b"x" * 2**18, "image/png")
    filler.unlink()
    await outputs.put("outputs/b/0.png", b"x" * 2**18, "image/png")
    assert await keys_of(outputs, "outputs") == ["outputs/a/0.png", "outputs/b/0.png"]
    assert list((small_disk / ".incoming").iterdir()) == []


async def test_a_folder_that_is_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BackendError):
        await LocalOutputs(tmp_path / "file").check()


async def test_storage_out_of_reach_is_a_backend_error() -> None:
    with pytest.raises(BackendError):
        await open_outputs(s3_place("http://127.0.0.1:9", "x")).check()


async def test_a_missing_bucket_is_out_of_reach_and_not_empty(s3_endpoint: str) -> None:
    """As where its disk is not mounted: a queued edit waits for its pictures instead of failing."""
    outputs = open_outputs(s3_place(s3_endpoint, "x").replace("pictures", "no-bucket"))
    with pytest.raises(BackendError, match="bucket"):
        await outputs.put("inputs/a", b"x", "image/png")
    with pytest.raises(BackendError, match="bucket"):
        await outputs.get("inputs/a")


@pytest.mark.parametrize("place", ["ftp://host/x", "https://host/x", "s3://bucket?no_such_setting=1"])
def test_a_place_that_cannot_be_used_is_a_configuration_error(place: str) -> None:
    with pytest.raises(ConfigError, match=r"^outputs: '"):
        open_outputs(place)


async def test_a_folder_that_was_there_and_is_gone_is_out_of_reach_and_not_empty(tmp_path: Path) -> None:
    """As when its disk is unmounted: what is in it is not lost, and nothing is written beside it."""
    root, away = tmp_path / "files", tmp_path / "away"
    outputs = LocalOutputs(root)
    await outputs.put("inputs/a", b"x", "image/png")
    root.rename(away)
    for _ in range(2):
        with pytest.raises(BackendError):
            await outputs.get("inputs/a")
        with pytest.raises(BackendError):
            await outputs.put("inputs/b", b"y", "image/png")
        with pytest.raises(BackendError):
            await outputs.check()
        root.mkdir(exist_ok=True)  # the empty mount point
    root.rmdir()
    away.rename(root)
    assert await outputs.get("inputs/a") == b"x"
    await outputs.check()
