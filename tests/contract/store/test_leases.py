"""`TaskStore`: leases, ends, and what happens when several want the same task."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from overpaint.core.task import Priority, TaskFailure, TaskState
from tests.contract.store.making import LEASE, TIMINGS, ManualClock, StoreSet, TaskMaker, output

pytestmark = pytest.mark.anyio


async def usage_ids(stores: StoreSet) -> list[str]:
    return [row.task_id async for row in stores.accounts.usage()]


async def test_leases_go_by_priority_then_age(stores: StoreSet, new_task: TaskMaker) -> None:
    tasks = [new_task(priority=Priority.BATCH), new_task(), new_task(priority=Priority.BATCH), new_task()]
    for task in tasks:
        await stores.tasks.create(task)
    leases = await stores.tasks.lease("worker", limit=3, duration=LEASE)
    assert [lease.task.id for lease in leases] == [tasks[1].id, tasks[3].id, tasks[0].id]
    assert {lease.task.state for lease in leases} == {TaskState.RUNNING}
    assert {lease.task.attempt for lease in leases} == {1}


async def test_no_task_is_leased_twice(stores: StoreSet, new_task: TaskMaker) -> None:
    ids = {(await stores.tasks.create(new_task()))[0].id for _ in range(60)}

    async def work(worker: str) -> list[str]:
        mine: list[str] = []
        while leases := await stores.tasks.lease(worker, limit=3, duration=LEASE):
            mine += [lease.task.id for lease in leases]
        return mine

    taken = [task_id for mine in await asyncio.gather(*(work(f"w{n}") for n in range(6))) for task_id in mine]
    assert len(taken) == 60
    assert set(taken) == ids


async def test_success_comes_with_files_usage_and_webhook(stores: StoreSet, new_task: TaskMaker) -> None:
    task = new_task(webhook_url="https://a.example/x")
    await stores.tasks.create(task)
    [lease] = await stores.tasks.lease("worker", limit=1, duration=LEASE)
    assert await stores.tasks.succeed(lease, [output("outputs/1/0.png"), output("outputs/1/1.png")], TIMINGS)
    done = await stores.tasks.get(task.id)
    assert done.state is TaskState.SUCCEEDED
    assert [made.file.key for made in done.outputs] == ["outputs/1/0.png", "outputs/1/1.png"]
    assert done.timings == TIMINGS
    [row] = [row async for row in stores.accounts.usage()]
    assert (row.task_id, row.num_images, row.price_microusd, row.engine_ms) == (task.id, 2, 30_000, 1000)
    [delivery] = await stores.webhooks.deliveries(task_id=task.id)
    assert delivery.url == task.webhook_url


async def test_a_repeated_success_answers_the_same_and_charges_once(stores: StoreSet, new_task: TaskMaker) -> None:
    task = new_task(webhook_url="https://a.example/x")
    await stores.tasks.create(task)
    [lease] = await stores.tasks.lease("worker", limit=1, duration=LEASE)
    answers = [await stores.tasks.succeed(lease, [output()], TIMINGS) for _ in range(3)]
    assert answers == [await stores.tasks.get(task.id)] * 3
    assert await usage_ids(stores) == [task.id]
    assert len(await stores.webhooks.deliveries()) == 1
    assert not await stores.tasks.fail(lease, TaskFailure("backend", "late"))


async def test_a_lost_lease_cannot_end_the_task(stores: StoreSet, new_task: TaskMaker) -> None:
    await stores.tasks.create(new_task())
    [lost] = await stores.tasks.lease("one", limit=1, duration=LEASE)
    [requeued], failed = await stores.tasks.reclaim([lost], max_losses=3)
    assert (requeued.state, failed) == (TaskState.QUEUED, [])
    assert not await stores.tasks.succeed(lost, [output()], TIMINGS)
    [held] = await stores.tasks.lease("two", limit=1, duration=LEASE)
    assert not await stores.tasks.succeed(lost, [output()], TIMINGS)
    assert not await stores.tasks.fail(lost, TaskFailure("backend", "late"))
    assert held.task.attempt == 1
    assert await stores.tasks.succeed(held, [output()], TIMINGS)


async def test_a_lease_handed_back_uncounted_is_lost_although_the_attempt_repeats(
    stores: StoreSet, new_task: TaskMaker
) -> None:
    """The next lease has the same worker and the same attempt: only the token tells them apart."""
    await stores.tasks.create(new_task())
    [first] = await stores.tasks.lease("worker", limit=1, duration=LEASE)
    await stores.tasks.hand_back("worker", [first.task.id], count_attempt=False)
    [second] = await stores.tasks.lease("worker", limit=1, duration=LEASE)
    assert second.task.attempt == first.task.attempt == 1
    assert not await stores.tasks.succeed(first, [output()], TIMINGS)
    assert await stores.tasks.succeed(second, [output()], TIMINGS)


async def test_handing_back_counts_the_attempt_when_told(stores: StoreSet, new_task: TaskMaker) -> None:
    task, _ = await stores.tasks.create(new_task())
    await stores.tasks.lease("worker", limit=1, duration=LEASE)
    await stores.tasks.hand_back("another", [task.id], count_attempt=True)
    assert (await stores.tasks.get(task.id)).state is TaskState.RUNNING
    await stores.tasks.hand_back("worker", [task.id], count_attempt=True)
    back = await stores.tasks.get(task.id)
    assert (back.state, back.attempt) == (TaskState.QUEUED, 1)


async def test_a_renewed_lease_is_not_reclaimed(stores: StoreSet, new_task: TaskMaker, clock: ManualClock) -> None:
    task, _ = await stores.tasks.create(new_task())
    taken = await stores.tasks.lease("worker", limit=1, duration=LEASE)
    assert await stores.tasks.leases() == taken
    clock.advance(LEASE / 2)
    assert await stores.tasks.renew("worker", [task.id], duration=LEASE) == {task.id}
    clock.advance(LEASE / 2)
    assert await stores.tasks.reclaim(taken, max_losses=3) == ([], [])
    assert await stores.tasks.renew("another", [task.id], duration=LEASE) == set()
    [renewed] = await stores.tasks.leases()
    assert renewed == replace(taken[0], expires_at=renewed.expires_at)
    assert renewed.expires_at > taken[0].expires_at


async def test_an_ended_lease_and_one_that_came_after_are_not_reclaimed(stores: StoreSet, new_task: TaskMaker) -> None:
    task, _ = await stores.tasks.create(new_task())
    first = await stores.tasks.lease("worker", limit=1, duration=LEASE)
    await stores.tasks.hand_back("worker", [task.id], count_attempt=False)
    assert await stores.tasks.leases() == []
    assert await stores.tasks.reclaim(first, max_losses=3) == ([], [])
    second = await stores.tasks.lease("worker", limit=1, duration=LEASE)
    assert await stores.tasks.reclaim(first, max_losses=3) == ([], [])
    assert await stores.tasks.leases() == second


async def test_only_the_leases_that_are_named_are_renewed(
    stores: StoreSet, new_task: TaskMaker, clock: ManualClock
) -> None:
    named, other = [(await stores.tasks.create(new_task()))[0].id for _ in range(2)]
    taken = await stores.tasks.lease("worker", limit=2, duration=LEASE)
    clock.advance(LEASE / 2)
    assert await stores.tasks.renew("worker", [], duration=LEASE) == set()
    assert await stores.tasks.renew("worker", [named], duration=LEASE) == {named}
    requeued, _ = await stores.tasks.reclaim(taken, max_losses=3)
    assert [task.id for task in requeued] == [other]


async def test_more_leases_are_renewed_than_a_statement_takes_values(stores: StoreSet, new_task: TaskMaker) -> None:
    task, _ = await stores.tasks.create(new_task())
    await stores.tasks.lease("worker", limit=1, duration=LEASE)
    ids = [f"{number:032x}" for number in range(2**17, 2**16, -1)] + [task.id]
    assert await stores.tasks.renew("worker", ids, duration=LEASE) == {task.id}


async def test_a_cancelled_task_is_no_longer_renewed(stores: StoreSet, new_task: TaskMaker) -> None:
    task, _ = await stores.tasks.create(new_task())
    await stores.tasks.lease("worker", limit=1, duration=LEASE)
    assert (await stores.tasks.cancel(task.id)).state is TaskState.CANCELLED
    assert await stores.tasks.renew("worker", [task.id], duration=LEASE) == set()


async def test_a_server_that_is_gone_costs_no_attempt(stores: StoreSet, new_task: TaskMaker) -> None:
    task, _ = await stores.tasks.create(new_task())
    await stores.tasks.lease("one", limit=1, duration=LEASE)
    await stores.tasks.hand_back("one", [task.id], count_attempt=True)
    for life in range(5):
        [lease] = await stores.tasks.lease(f"life-{life}", limit=1, duration=LEASE)
        assert lease.task.attempt == 2
        [requeued], _ = await stores.tasks.reclaim([lease], max_losses=9)
        assert (requeued.state, requeued.attempt) == (TaskState.QUEUED, 1)


async def test_a_task_that_takes_every_server_with_it_fails_with_a_reason(
    stores: StoreSet, new_task: TaskMaker
) -> None:
    task, _ = await stores.tasks.create(new_task(webhook_url="https://a.example/x"))
    for life in (1, 2, 3):
        taken = await stores.tasks.lease(f"life-{life}", limit=1, duration=LEASE)
        requeued, failed = await stores.tasks.reclaim(taken, max_losses=3)
        assert (len(requeued), len(failed)) == ((0, 1) if life == 3 else (1, 0))
    ended = await stores.tasks.get(task.id)
    assert ended.state is TaskState.FAILED
    assert ended.failure is not None
    assert "3 times" in ended.failure.message
    assert len(await stores.webhooks.deliveries(task_id=task.id)) == 1
    assert await usage_ids(stores) == []


async def test_cancelling_a_queued_task_costs_nothing(stores: StoreSet, new_task: TaskMaker) -> None:
    task, _ = await stores.tasks.create(new_task(webhook_url="https://a.example/x"))
    cancelled = await stores.tasks.cancel(task.id, charge_microusd=5)
    assert await stores.tasks.cancel(task.id) == cancelled
    assert await usage_ids(stores) == []
    assert len(await stores.webhooks.deliveries()) == 1


async def test_cancelling_a_running_task_notes_the_device_time_once(
    stores: StoreSet, new_task: TaskMaker, clock: ManualClock
) -> None:
    task, _ = await stores.tasks.create(new_task())
    await stores.tasks.lease("worker", limit=1, duration=LEASE)
    clock.advance(timedelta(seconds=2))
    await stores.tasks.cancel(task.id, charge_microusd=500)
    await stores.tasks.cancel(task.id, charge_microusd=500)
    [row] = [row async for row in stores.accounts.usage()]
    assert (row.num_images, row.price_microusd, row.engine_ms) == (0, 500, 2000)


async def test_who_painted_what_another_cancelled_charges_for_it_once(stores: StoreSet, new_task: TaskMaker) -> None:
    task, _ = await stores.tasks.create(new_task())
    [lease] = await stores.tasks.lease("worker", limit=1, duration=LEASE)
    await stores.tasks.charge_cancelled(lease, 5)
    assert await usage_ids(stores) == []
    await stores.tasks.cancel(task.id)
    for stranger in (replace(lease, worker="another"), replace(lease, token=lease.token + 1)):
        await stores.tasks.charge_cancelled(stranger, 9)
    await stores.tasks.charge_cancelled(lease, 500)
    await stores.tasks.charge_cancelled(lease, 700)
    [row] = [row async for row in stores.accounts.usage()]
    assert (row.num_images, row.price_microusd) == (0, 500)


async def test_a_finished_task_is_not_charged_as_a_cancelled_one(stores: StoreSet, new_task: TaskMaker) -> None:
    await stores.tasks.create(new_task(price_microusd=0))
    [lease] = await stores.tasks.lease("worker", limit=1, duration=LEASE)
    await stores.tasks.succeed(lease, [output()], TIMINGS)
    await stores.tasks.charge_cancelled(lease, 500)
    [row] = [row async for row in stores.accounts.usage()]
    assert row.price_microusd == 0


async def test_of_cancel_and_success_at_once_one_wins(stores: StoreSet, new_task: TaskMaker) -> None:
    for _ in range(10):
        task, _ = await stores.tasks.create(new_task(webhook_url="https://a.example/x"))
        [lease] = await stores.tasks.lease("worker", limit=1, duration=LEASE)
        succeeded, cancelled = await asyncio.gather(
            stores.tasks.succeed(lease, [output()], TIMINGS), stores.tasks.cancel(task.id)
        )
        ended = await stores.tasks.get(task.id)
        assert ended.state is (TaskState.SUCCEEDED if succeeded else TaskState.CANCELLED)
        assert cancelled.state is ended.state
        assert len(await stores.webhooks.deliveries(task_id=task.id)) == 1
    assert len(await usage_ids(stores)) == 10


async def test_one_dead_lease_is_reclaimed_by_one(stores: StoreSet, new_task: TaskMaker) -> None:
    for _ in range(10):
        await stores.tasks.create(new_task())
    taken = await stores.tasks.lease("worker", limit=10, duration=LEASE)
    answers = await asyncio.gather(*(stores.tasks.reclaim(taken, max_losses=3) for _ in range(4)))
    reclaimed = [task.id for requeued, _ in answers for task in requeued]
    assert len(reclaimed) == len(set(reclaimed)) == 10
