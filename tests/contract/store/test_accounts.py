"""`AccountStore` and `WebhookStore`."""

import asyncio
from datetime import timedelta

import pytest

from overpaint.core.account import KeyLimits, Standing, UsageSum
from overpaint.core.errors import BudgetError, RateLimitError, RequestError
from tests.contract.store.making import LEASE, TIMINGS, ManualClock, StoreSet, TaskMaker, api_key, output

pytestmark = pytest.mark.anyio


async def deliver(stores: StoreSet, new_task: TaskMaker) -> str:
    task, _ = await stores.tasks.create(new_task(webhook_url="https://a.example/x"))
    await stores.tasks.cancel(task.id)
    return task.id


async def test_a_key_is_found_by_its_hash(stores: StoreSet, clock: ManualClock) -> None:
    keys = [api_key(name, clock) for name in ("first", "second")]
    for key in keys:
        await stores.accounts.create_key(key)
    assert await stores.accounts.find_key(keys[1].secret_hash) == keys[1]
    assert await stores.accounts.find_key("0" * 64) is None
    assert await stores.accounts.list_keys() == keys


async def test_a_name_is_free_again_once_its_key_is_revoked(stores: StoreSet, clock: ManualClock) -> None:
    key = api_key("shop", clock)
    await stores.accounts.create_key(key)
    again = api_key("shop", clock, id="other", secret_hash="f" * 64)
    with pytest.raises(RequestError, match="taken"):
        await stores.accounts.create_key(again)
    assert (await stores.accounts.revoke_key("shop")).revoked_at is not None
    await stores.accounts.create_key(again)
    found = await stores.accounts.find_key(key.secret_hash)
    assert found is not None
    assert found.revoked_at is not None


async def test_limits_change(stores: StoreSet, clock: ManualClock) -> None:
    await stores.accounts.create_key(api_key("shop", clock))
    limits = KeyLimits(max_open_tasks=2, monthly_budget_microusd=10**12, max_upload_mib=500)
    assert (await stores.accounts.set_limits("shop", limits)).limits == limits
    assert (await stores.accounts.list_keys())[0].limits == limits


async def test_an_unknown_key_cannot_be_changed(stores: StoreSet) -> None:
    with pytest.raises(RequestError, match="name"):
        await stores.accounts.revoke_key("nobody")
    with pytest.raises(RequestError, match="name"):
        await stores.accounts.set_limits("nobody", KeyLimits())


async def test_spending_is_what_was_charged_and_what_is_open(
    stores: StoreSet, new_task: TaskMaker, clock: ManualClock
) -> None:
    start = clock.now()
    for price in (1, 10, 100, 1000):
        await stores.tasks.create(new_task(price_microusd=price))
    await stores.tasks.create(new_task(price_microusd=7, key_id="key-b"))
    leases = await stores.tasks.lease("worker", limit=2, duration=LEASE)
    await stores.tasks.succeed(leases[0], [output()], TIMINGS)
    assert await stores.accounts.standing("key-a", since=start) == Standing(3, 1111)
    await stores.tasks.cancel(leases[1].task.id)
    assert await stores.accounts.standing("key-a", since=start) == Standing(2, 1101)
    assert await stores.accounts.standing("key-a", since=clock.now()) == Standing(2, 1100)
    assert await stores.accounts.standing("key-a", since=None) == Standing(2, 1100)
    assert await stores.accounts.standing("nobody", since=start) == Standing()


@pytest.mark.parametrize(
    ("limits", "error"),
    [(KeyLimits(max_open_tasks=3), RateLimitError), (KeyLimits(monthly_budget_microusd=95_000), BudgetError)],
)
async def test_limits_hold_among_tasks_stored_together(
    stores: StoreSet, new_task: TaskMaker, limits: KeyLimits, error: type[Exception]
) -> None:
    """Three of 30 000 fit, whatever is asked at once; another key is not held up."""
    asked = [new_task() for _ in range(8)]
    others = asyncio.gather(*(stores.tasks.create(new_task(key_id="key-b"), limits) for _ in range(3)))
    outcomes = await asyncio.gather(*(stores.tasks.create(task, limits) for task in asked), return_exceptions=True)
    assert [is_new for _, is_new in await others] == [True] * 3
    assert [type(outcome) for outcome in outcomes[3:]] == [error] * 5
    assert {task.id for task, _ in outcomes[:3]} == {task.id for task in asked[:3]}  # pyright: ignore[reportGeneralTypeIssues]
    assert await stores.tasks.count(key_id="key-a") == 3


async def test_a_repeat_is_given_its_task_although_there_is_no_room(stores: StoreSet, new_task: TaskMaker) -> None:
    task, limits = new_task(idempotency_key="once"), KeyLimits(max_open_tasks=1)
    first, _ = await stores.tasks.create(task, limits)
    assert await stores.tasks.create(task, limits) == (first, False)
    with pytest.raises(RateLimitError, match="has 1 open task"):
        await stores.tasks.create(new_task(), limits)


async def test_usage_comes_oldest_first_and_filtered(stores: StoreSet, new_task: TaskMaker, clock: ManualClock) -> None:
    tasks = [new_task(key_id=key) for key in ("a", "b", "a")]
    moments = [clock.now()]
    for task in tasks:
        await stores.tasks.create(task)
        [lease] = await stores.tasks.lease("worker", limit=1, duration=LEASE)
        await stores.tasks.succeed(lease, [output()], TIMINGS)
        moments.append(clock.now())
    ids = [task.id for task in tasks]
    assert [row.task_id async for row in stores.accounts.usage()] == ids
    assert [row.task_id async for row in stores.accounts.usage(key_id="a")] == [ids[0], ids[2]]
    part = stores.accounts.usage(since=moments[1], until=moments[2])
    assert [row.task_id async for row in part] == [ids[1]]
    page, number = await stores.accounts.usage_page("a", skip=0, limit=1)
    assert ([row.task_id for row in page], number) == ([ids[2]], 2)
    page, number = await stores.accounts.usage_page("a", skip=1, limit=5)
    assert ([row.task_id for row in page], number) == ([ids[0]], 2)
    assert await stores.accounts.usage_page("c", skip=0, limit=5) == ([], 0)


async def test_usage_is_added_up_by_key_and_model(stores: StoreSet, new_task: TaskMaker, clock: ManualClock) -> None:
    moments = [clock.now()]
    for key, model in (("b", "m"), ("a", "m"), ("a", "n"), ("a", "m")):
        await stores.tasks.create(new_task(key_id=key, model=model))
        [lease] = await stores.tasks.lease("worker", limit=1, duration=LEASE)
        await stores.tasks.succeed(lease, [output()], TIMINGS)
        moments.append(clock.now())
    price, images = new_task().price_microusd, 1
    of_a = [UsageSum("a", "m", 2, 2 * images, 2 * price), UsageSum("a", "n", 1, images, price)]
    assert await stores.accounts.usage_sums() == [*of_a, UsageSum("b", "m", 1, images, price)]
    assert await stores.accounts.usage_sums(since=moments[1]) == of_a
    assert await stores.accounts.usage_sums(until=moments[1]) == [UsageSum("b", "m", 1, images, price)]
    assert await stores.accounts.usage_sums(since=clock.now()) == []


async def test_a_due_delivery_is_taken_by_one(stores: StoreSet, new_task: TaskMaker) -> None:
    ids = {await deliver(stores, new_task) for _ in range(12)}
    taken = await asyncio.gather(*(stores.webhooks.due(limit=5, duration=LEASE) for _ in range(4)))
    assert sorted(row.task_id for rows in taken for row in rows) == sorted(ids)


async def test_a_delivery_nobody_finished_is_due_again(
    stores: StoreSet, new_task: TaskMaker, clock: ManualClock
) -> None:
    await deliver(stores, new_task)
    assert await stores.webhooks.due(limit=5, duration=LEASE, except_keys=["another", "key-a"]) == []
    [first] = await stores.webhooks.due(limit=5, duration=LEASE, except_keys=["another"])
    assert await stores.webhooks.due(limit=5, duration=LEASE) == []
    clock.advance(LEASE)
    [second] = await stores.webhooks.due(limit=5, duration=LEASE)
    assert second.id == first.id


async def test_a_delivered_message_stays_delivered(stores: StoreSet, new_task: TaskMaker, clock: ManualClock) -> None:
    task_id = await deliver(stores, new_task)
    [row] = await stores.webhooks.due(limit=5, duration=LEASE)
    await stores.webhooks.failed(row.id, error="500", next_attempt_at=clock.now() + timedelta(minutes=1))
    assert await stores.webhooks.due(limit=5, duration=LEASE) == []
    clock.advance(timedelta(minutes=2))
    assert len(await stores.webhooks.due(limit=5, duration=LEASE)) == 1
    await stores.webhooks.delivered(row.id)
    await stores.webhooks.failed(row.id, error="late", next_attempt_at=clock.now())
    [done] = await stores.webhooks.deliveries(task_id=task_id)
    assert (done.attempts, done.last_error, done.next_attempt_at) == (2, "500", None)
    assert done.delivered_at is not None


async def test_a_delivery_that_is_given_up_is_not_due(stores: StoreSet, new_task: TaskMaker) -> None:
    await deliver(stores, new_task)
    [row] = await stores.webhooks.due(limit=5, duration=LEASE)
    await stores.webhooks.failed(row.id, error="410", next_attempt_at=None)
    assert await stores.webhooks.due(limit=5, duration=LEASE) == []
    [gone] = await stores.webhooks.deliveries()
    assert (gone.delivered_at, gone.last_error) == (None, "410")
