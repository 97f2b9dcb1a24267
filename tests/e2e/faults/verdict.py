"""What must be true after any fault, read from the database and the folder of files rather than asked of the server."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from overpaint.core.output_ports import OutputStore
from overpaint.core.task import Task, TaskState
from overpaint.outputs.opening import open_outputs
from overpaint.service.clock import SystemClock
from overpaint.service.sweep import Retention, Sweeper
from overpaint.store.opening import Stores, open_stores
from tests.e2e.faults.receiver import Receiver
from tests.e2e.faults.victim import Victim

OPEN = (TaskState.QUEUED, TaskState.RUNNING)


@dataclass(frozen=True)
class Verdict:
    """Figures of a test, for people.

    Args:
        states: how the tasks ended.
        attempts: how often they were tried.
        orphans: files of attempts that were cut short; the sweeper found them.
        webhooks: messages that came, repeated ones too.
    """

    states: dict[str, int]
    attempts: dict[int, int]
    orphans: int
    webhooks: int


def wait_until_all_ended(victim: Victim, timeout_s: float) -> None:
    """Wait until nothing is queued or running."""
    deadline_s = time.monotonic() + timeout_s
    while num_open := asyncio.run(_count_open(victim)):
        if time.monotonic() > deadline_s:
            raise AssertionError(f"{num_open} tasks do not end\n{victim.log.read_text()[-5000:]}")
        time.sleep(0.5)


def wait_until_all_told(victim: Victim, receiver: Receiver, timeout_s: float) -> None:
    """Wait until there was a message for every task that ended."""
    wanted = {task.id for task in asyncio.run(_tasks(victim))}
    deadline_s = time.monotonic() + timeout_s
    while missing := wanted - receiver.heard().keys():
        if time.monotonic() > deadline_s:
            raise AssertionError(f"{len(missing)} tasks were never told of: {sorted(missing)[:3]}")
        time.sleep(0.2)


def judge(victim: Victim, accepted: list[str], receiver: Receiver) -> Verdict:
    """Look at everything once the server has stopped.

    Raises:
        AssertionError: a task is lost, ended twice, is not charged right, was not told of, or left files.
    """
    return asyncio.run(_judge(victim, accepted, receiver.heard()))


async def _judge(victim: Victim, accepted: list[str], heard: dict[str, list[str]]) -> Verdict:
    stores = await open_stores(victim.store_url, lambda: datetime.now(UTC))
    outputs = open_outputs(str(victim.folder / "files"))
    try:
        tasks = {task.id: task for task in await _all_of(stores)}
        assert set(accepted) <= tasks.keys(), "what was accepted is stored"
        await _check_ends(tasks, stores)
        _check_messages(tasks, heard)
        orphans = await _check_files(tasks, stores, outputs)
    finally:
        await stores.close()
    states = Counter(task.state.value for task in tasks.values())
    attempts = Counter(task.attempt for task in tasks.values())
    return Verdict(dict(states), dict(sorted(attempts.items())), orphans, sum(map(len, heard.values())))


async def _check_ends(tasks: dict[str, Task], stores: Stores) -> None:
    charged = Counter([row.task_id async for row in stores.accounts.usage()])
    for task in tasks.values():
        if task.state is TaskState.SUCCEEDED:
            assert len(task.outputs) == task.spec.num_images, "one result set"
            assert charged.pop(task.id, 0) == 1, "one usage row"
        else:
            assert task.state is TaskState.FAILED
            assert task.failure is not None
            assert (task.failure.code, task.attempt) == ("backend", 3), task.failure
            assert not task.outputs
    assert not charged, "nothing else is charged"


def _check_messages(tasks: dict[str, Task], heard: dict[str, list[str]]) -> None:
    assert heard.keys() == tasks.keys(), "at least one message for every task, none for others"
    assert all(len(set(ids)) == 1 for ids in heard.values()), "a repeated message keeps its id"
    assert len({ids[0] for ids in heard.values()}) == len(tasks)


async def _check_files(tasks: dict[str, Task], stores: Stores, outputs: OutputStore) -> int:
    """Every file of a result can be read; after a sweep of everything unnamed there are no others."""
    now = Retention(orphans=timedelta(0))
    orphans = await Sweeper(stores.tasks, outputs, SystemClock(), now).sweep()
    kept = {file.key async for file in outputs.list_files("outputs/")}
    results = [output.file for task in tasks.values() for output in task.outputs]
    assert kept == {file.key for file in results}
    for file in results:
        assert len(await outputs.get(file.key)) == file.num_bytes
    inputs = {file.key async for file in outputs.list_files("inputs/")}
    assert inputs == {picture.key for task in tasks.values() for picture in task.spec.pictures}
    return orphans


async def _count_open(victim: Victim) -> int:
    stores = await open_stores(victim.store_url, lambda: datetime.now(UTC))
    try:
        return await stores.tasks.count(states=OPEN)
    finally:
        await stores.close()


async def _tasks(victim: Victim) -> list[Task]:
    stores = await open_stores(victim.store_url, lambda: datetime.now(UTC))
    try:
        return await _all_of(stores)
    finally:
        await stores.close()


async def _all_of(stores: Stores) -> list[Task]:
    found: list[Task] = []
    cursor: str | None = None
    while True:
        page, cursor = await stores.tasks.list_tasks(cursor=cursor, limit=500)
        found += page
        if cursor is None:
            return found
