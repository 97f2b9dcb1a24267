"""What a server stands on goes away for a while: the database, the place for files, the room on the disk.

Meanwhile readiness says what is wrong and submissions are refused with a reason; afterwards work goes on without a
restart, and nothing that was accepted is lost.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import PictureBytes
from tests.contract.store.test_durability import crash
from tests.e2e.faults.clients import NATIVE, Clients, at_work
from tests.e2e.faults.receiver import Receiver, listening
from tests.e2e.faults.verdict import judge, wait_until_all_ended, wait_until_all_told
from tests.e2e.faults.victim import Victim, running
from tests.postgres import postgres_running

DISK_MIB = 24


@dataclass(frozen=True)
class Outage:
    """Something that goes away.

    Args:
        part: as readiness names it.
        begin: takes it away.
        end: brings it back.
        seconds: between the two.
        words: of the reason.
    """

    part: str
    begin: Callable[[], None]
    end: Callable[[], None]
    seconds: float
    words: tuple[str, ...]


def refusal(victim: Victim, clients: Clients) -> httpx.Response:
    """What an edit is told: its picture would have to be stored, and so would the task."""
    body = {"prompt": "a cat", "images": [clients.picture_uri], "webhook_url": clients.webhook_url}
    with victim.client() as http:
        return http.post(NATIVE, json=body, timeout=60)


def survive(victim: Victim, receiver: Receiver, picture: bytes, outage: Outage, num_tasks: int = 200) -> None:
    clients = Clients(victim, receiver.url, picture)
    with at_work(clients):
        clients.allow(num_tasks // 2)
        time.sleep(1.0)
        outage.begin()
        try:
            began_s = time.monotonic()
            problem = victim.wait_red(outage.part)
            assert any(word in problem for word in outage.words), problem
            clients.allow(num_tasks // 4)
            answer = refusal(victim, clients)
            assert answer.status_code == 503, answer.text
            assert answer.json()["error"]["retryable"] is True
            assert int(answer.headers["Retry-After"]) > 0
            time.sleep(max(0.0, outage.seconds - (time.monotonic() - began_s)))
        finally:
            outage.end()
        victim.wait_ready(30)
        clients.allow(num_tasks - num_tasks // 2 - num_tasks // 4)
        clients.wait_accepted(num_tasks, timeout_s=60)
    wait_until_all_ended(victim, timeout_s=120)
    wait_until_all_told(victim, receiver, timeout_s=120)
    assert victim.num_starts == 1
    assert victim.stop() < 10
    verdict = judge(victim, clients.accepted, receiver)
    print(f"{outage.part} -> {verdict} {dict(clients.statuses)}")
    assert verdict.states == {"succeeded": sum(verdict.states.values())}


@pytest.fixture
def postgres() -> Iterator[Any]:
    with postgres_running() as server:
        yield server


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can only be mounted by root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
@pytest.mark.postgres
def test_a_database_server_that_goes_and_comes_back(tmp_path: Path, postgres: Any, picture_bytes: PictureBytes) -> None:
    outage = Outage("store", lambda: crash(postgres), postgres.ensure_postgres_running, 5, ("database",))
    victim = Victim(tmp_path / "data", "null:0.02", postgres.get_uri())
    with listening() as receiver, running(victim):
        survive(victim, receiver, picture_bytes("PNG"), outage)


@pytest.mark.slow
def test_a_place_for_files_that_fails_for_ten_seconds(tmp_path: Path, picture_bytes: PictureBytes) -> None:
    files, away = tmp_path / "files", tmp_path / "away"

    def begin() -> None:
        with suppress(FileNotFoundError):
            files.rename(away)
        files.write_text("no folder")

    def end() -> None:
        files.unlink()
        away.rename(files)

    outage = Outage("files", begin, end, 10, ("output folder",))
    with listening() as receiver, running(Victim(tmp_path, "null:0.02")) as victim:
        survive(victim, receiver, picture_bytes("PNG"), outage)


@pytest.mark.slow
def test_a_full_disk(disk: Path, tmp_path: Path, picture_bytes: PictureBytes) -> None:
    filler = disk / "filler"

    def begin() -> None:
        """Fill it again and again: a finished write may give room back."""
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(b"x" * 65536):
                pass
        with suppress(OSError), filler.open("ab", buffering=0) as file:
            while file.write(b"x"):
                pass

    outage = Outage("files", begin, filler.unlink, 10, ("no space", "full"))
    victim = Victim(disk / "data", "null:0.02", log_dir=tmp_path)
    with listening() as receiver, running(victim):
        survive(victim, receiver, picture_bytes("PNG"), outage)
