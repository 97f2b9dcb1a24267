"""Memory, SQLite and PostgreSQL answer any sequence of calls alike: hypothesis looks for one that they do not.

What the adapters say is compared in full, times and orders too; time passes when a rule lets it.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from overpaint.core.errors import OverpaintError
from overpaint.core.task import Lease, Priority, TaskFailure, TaskState
from overpaint.store.memory.opening import MemoryStores, open_memory_stores
from overpaint.store.opening import Stores, open_stores
from tests.contract.store.making import LEASE, TIMINGS, TaskMaker, output

AnyStores = MemoryStores | Stores
WORKERS = st.sampled_from(["one", "two"])
KEYS = st.sampled_from(["key-a", "key-b"])
SOME = st.integers(1, 3)


class StandingClock:
    """Stands still within a rule, so that every adapter is asked at the same moment."""

    def __init__(self) -> None:
        self._moment = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self._moment

    def advance(self, duration: timedelta) -> None:
        self._moment += duration


async def outcome(call: Awaitable[Any] | AsyncIterator[Any]) -> Any:
    """What a call gives, or which error it raises."""
    try:
        if isinstance(call, AsyncIterator):
            return [item async for item in call]
        return await call
    except OverpaintError as error:
        return type(error)


class Adapters(RuleBasedStateMachine):
    """Three stores that are asked the same."""

    open_all: Callable[[Callable[[], datetime]], Coroutine[Any, Any, list[AnyStores]]]
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.new_task = StandingClock(), TaskMaker()
        self.stores = self.runner.run(type(self).open_all(self.clock.now))
        self.ids: list[str] = []
        self.leases: list[Lease] = []
        self.deliveries: list[str] = []
        self.numbers = itertools.count()

    def teardown(self) -> None:
        for stores in self.stores:
            self.runner.run(stores.close())

    def ask(self, call: Callable[[Any], Awaitable[Any] | AsyncIterator[Any]]) -> Any:
        """The one answer of all adapters."""
        self.clock.advance(timedelta(milliseconds=1))
        first, *others = [self.runner.run(outcome(call(stores))) for stores in self.stores]
        for other in others:
            assert other == first
        return first

    def one_of(self, values: list[Any], number: int) -> Any:
        return values[number % len(values)]

    @rule(
        key=KEYS,
        once=st.sampled_from([None, None, "once", "twice"]),
        priority=st.sampled_from(Priority),
        url=st.sampled_from([None, "https://a.example/hook"]),
        inputs=st.sets(st.sampled_from(["inputs/a", "inputs/b"])),
    )
    def create(self, key: str, once: str | None, priority: Priority, url: str | None, inputs: set[str]) -> None:
        task = self.new_task(
            key_id=key, idempotency_key=once, priority=priority, webhook_url=url, inputs=tuple(sorted(inputs))
        )
        answer = self.ask(lambda stores: stores.tasks.create(task))
        if isinstance(answer, tuple):
            self.ids.append(answer[0].id)

    @precondition(lambda self: self.ids)
    @rule(number=st.integers(0, 99))
    def create_again(self, number: int) -> None:
        task_id = self.one_of(self.ids, number)
        task = replace(self.new_task(), id=task_id, fingerprint=f"fingerprint-{int(task_id, 16)}")
        self.ask(lambda stores: stores.tasks.create(task))
        self.ids.append(task_id)

    @rule(worker=WORKERS, limit=SOME)
    def lease(self, worker: str, limit: int) -> None:
        self.leases += self.ask(lambda stores: stores.tasks.lease(worker, limit=limit, duration=LEASE))

    @precondition(lambda self: self.ids)
    @rule(worker=WORKERS, number=st.integers(0, 99))
    def renew(self, worker: str, number: int) -> None:
        ids = [self.one_of(self.ids, number), self.one_of(self.ids, number + 1)]
        self.ask(lambda stores: stores.tasks.renew(worker, ids, duration=LEASE))

    @rule(key=KEYS, once=st.sampled_from(["once", "twice"]), number=st.integers(1, 9))
    def find_repeated(self, key: str, once: str, number: int) -> None:
        self.ask(lambda stores: stores.tasks.find_repeated(key, once, f"fingerprint-{number}"))

    @precondition(lambda self: self.ids)
    @rule(worker=WORKERS, number=st.integers(0, 99), counts=st.booleans())
    def hand_back(self, worker: str, number: int, counts: bool) -> None:
        ids = [self.one_of(self.ids, number), self.one_of(self.ids, number + 1)]
        self.ask(lambda stores: stores.tasks.hand_back(worker, ids, count_attempt=counts))

    @precondition(lambda self: self.leases)
    @rule(attempts=SOME, number=st.integers(0, 99))
    def reclaim(self, attempts: int, number: int) -> None:
        lost = [self.one_of(self.leases, number), self.one_of(self.leases, number + 1)]

        async def sorted_reclaim(stores: AnyStores) -> Any:
            requeued, failed = await stores.tasks.reclaim(lost, max_losses=attempts)
            return sorted(requeued, key=lambda task: task.id), sorted(failed, key=lambda task: task.id)

        self.ask(sorted_reclaim)

    @rule()
    def look_at_leases(self) -> None:
        async def sorted_leases(stores: AnyStores) -> Any:
            return sorted(await stores.tasks.leases(), key=lambda lease: lease.task.id)

        self.leases += [lease for lease in self.ask(sorted_leases) if lease not in self.leases]

    @precondition(lambda self: self.leases)
    @rule(number=st.integers(0, 99))
    def succeed(self, number: int) -> None:
        lease, key = self.one_of(self.leases, number), f"outputs/{next(self.numbers)}.png"
        self.ask(lambda stores: stores.tasks.succeed(lease, [output(key)], TIMINGS))

    @precondition(lambda self: self.leases)
    @rule(number=st.integers(0, 99))
    def fail(self, number: int) -> None:
        lease = self.one_of(self.leases, number)
        self.ask(lambda stores: stores.tasks.fail(lease, TaskFailure("backend", "it broke")))

    @precondition(lambda self: self.ids)
    @rule(number=st.integers(0, 99), charge=st.integers(0, 5))
    def cancel(self, number: int, charge: int) -> None:
        task_id = self.one_of(self.ids, number)
        self.ask(lambda stores: stores.tasks.cancel(task_id, charge_microusd=charge))

    @precondition(lambda self: self.leases)
    @rule(number=st.integers(0, 99), charge=st.integers(1, 5))
    def charge_cancelled(self, number: int, charge: int) -> None:
        lease = self.one_of(self.leases, number)
        self.ask(lambda stores: stores.tasks.charge_cancelled(lease, charge))

    @precondition(lambda self: self.ids)
    @rule(number=st.integers(0, 99))
    def delete(self, number: int) -> None:
        task_id = self.one_of(self.ids, number)
        self.ask(lambda stores: stores.tasks.delete(task_id))

    @rule(age=st.sampled_from([0, 20, 60]), limit=SOME)
    def expire(self, age: int, limit: int) -> None:
        before = self.clock.now() - timedelta(seconds=age)

        async def sorted_expire(stores: AnyStores) -> Any:
            return sorted(await stores.tasks.expire(finished_before=before, limit=limit), key=lambda task: task.id)

        self.ask(sorted_expire)

    @rule(seconds=st.sampled_from([1, 29, 31]))
    def let_time_pass(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    @rule(limit=SOME)
    def take_deliveries(self, limit: int) -> None:
        due = self.ask(lambda stores: stores.webhooks.due(limit=limit, duration=LEASE))
        self.deliveries += [delivery.id for delivery in due]

    @precondition(lambda self: self.deliveries)
    @rule(number=st.integers(0, 99), next_s=st.sampled_from([None, 5, 40]), is_delivered=st.booleans())
    def note_delivery(self, number: int, next_s: int | None, is_delivered: bool) -> None:
        delivery = self.one_of(self.deliveries, number)
        at = None if next_s is None else self.clock.now() + timedelta(seconds=next_s)
        if is_delivered:
            self.ask(lambda stores: stores.webhooks.delivered(delivery))
        else:
            self.ask(lambda stores: stores.webhooks.failed(delivery, error="503", next_attempt_at=at))

    @rule(key=st.sampled_from([None, "key-a"]), states=st.sets(st.sampled_from(TaskState)), limit=SOME)
    def look_at_lists(self, key: str | None, states: set[TaskState], limit: int) -> None:
        some = sorted(states)
        self.ask(lambda stores: stores.tasks.count(key_id=key, states=some))

        async def all_pages(stores: AnyStores) -> Any:
            pages: list[Any] = []
            cursor: str | None = None
            while True:
                page, cursor = await stores.tasks.list_tasks(key_id=key, states=some, cursor=cursor, limit=limit)
                pages.append(page)
                if cursor is None:
                    return pages

        self.ask(all_pages)

    @precondition(lambda self: self.ids)
    @rule(number=st.integers(0, 99))
    def look_at_one(self, number: int) -> None:
        task_id = self.one_of(self.ids, number)
        self.ask(lambda stores: stores.tasks.get(task_id))
        self.ask(lambda stores: stores.tasks.position(task_id))
        self.ask(lambda stores: stores.webhooks.deliveries(task_id=task_id))

    @rule(key=KEYS)
    def look_at_money_and_files(self, key: str) -> None:
        start = datetime(2026, 3, 1, tzinfo=UTC)
        self.ask(lambda stores: stores.accounts.standing(key, since=start))
        self.ask(lambda stores: stores.accounts.usage(key_id=key))
        keys = ["inputs/a", "inputs/b", *(f"outputs/{number}.png" for number in range(20))]
        self.ask(lambda stores: stores.tasks.referenced_files(keys))


@pytest.fixture
def machine(tmp_path: Path, postgres_url: str) -> Iterator[type[Adapters]]:
    numbers = itertools.count()

    async def open_all(now: Callable[[], datetime]) -> list[AnyStores]:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            emptied = [name for (name,) in found if name not in ("alembic_version", "probe")]
            if emptied:
                connection.execute(f"TRUNCATE {', '.join(emptied)} CASCADE")  # pyright: ignore[reportArgumentType]
        sqlite = await open_stores(f"sqlite:///{tmp_path / f'{next(numbers)}.db'}", now)
        return [open_memory_stores(now), sqlite, await open_stores(postgres_url, now)]

    with asyncio.Runner() as runner:
        yield type("OpenAdapters", (Adapters,), {"open_all": staticmethod(open_all), "runner": runner})


def look(machine: type[Adapters], max_examples: int, steps: int) -> None:
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=max_examples, stateful_step_count=steps, deadline=None, suppress_health_check=slow
        ),
    )


@pytest.mark.postgres
def test_three_adapters_answer_alike(machine: type[Adapters]) -> None:
    look(machine, max_examples=8, steps=30)


@pytest.mark.slow
@pytest.mark.postgres
def test_three_adapters_answer_alike_for_long(machine: type[Adapters]) -> None:
    look(machine, max_examples=150, steps=60)
