"""`TaskStore`: accepting, looking, listing, forgetting."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from overpaint.core.errors import RequestError, TaskError, TaskNotFoundError
from overpaint.core.task import Backlog, NewTask, Priority, TaskFailure, TaskState
from tests.contract.store.making import LEASE, TIMINGS, ManualClock, StoreSet, TaskMaker, output

pytestmark = pytest.mark.anyio


async def finish(stores: StoreSet, task: NewTask, key: str = "outputs/x/0.png") -> None:
    await stores.tasks.create(task)
    [lease] = await stores.tasks.lease("worker", limit=1, duration=LEASE)
    assert await stores.tasks.succeed(lease, [output(key)], TIMINGS)


async def test_a_created_task_is_queued_and_comes_back_as_it_was_given(stores: StoreSet, new_task: TaskMaker) -> None:
    task = new_task(inputs=("inputs/a", "inputs/b"), webhook_url="https://a.example/x", idempotency_key="once")
    created, is_new = await stores.tasks.create(task)
    assert is_new
    assert created.state is TaskState.QUEUED
    assert created.spec == task.spec
    assert await stores.tasks.get(task.id) == created


@pytest.mark.parametrize("prompt", ["\x00 nul", "half \ud800 pair", "中文 🦊", "a'b\"c\\d; --"])
async def test_any_prompt_is_kept_as_it_was_written(stores: StoreSet, new_task: TaskMaker, prompt: str) -> None:
    created, _ = await stores.tasks.create(new_task(prompt=prompt))
    assert (await stores.tasks.get(created.id)).spec.prompt == prompt


async def test_an_unknown_task_is_not_found(stores: StoreSet) -> None:
    for call in (stores.tasks.get("x"), stores.tasks.cancel("x"), stores.tasks.delete("x")):
        with pytest.raises(TaskNotFoundError):
            await call


@pytest.mark.parametrize("odd", ["a\0b", "a\ud800b", "ä"])
async def test_an_id_that_cannot_be_one_costs_nobody_else_an_answer(
    stores: StoreSet, new_task: TaskMaker, odd: str
) -> None:
    """Reads that come together are one query, and PostgreSQL refuses it whole for a null in one of its values."""
    task, _ = await stores.tasks.create(new_task())
    ids = [task.id, task.id, odd, task.id]
    found = await asyncio.gather(*(stores.tasks.get(task_id) for task_id in ids), return_exceptions=True)
    assert found[:2] == [task, task]
    assert found[3] == task
    assert isinstance(found[2], TaskNotFoundError)


async def test_the_same_idempotency_key_gives_the_earlier_task(stores: StoreSet, new_task: TaskMaker) -> None:
    task = new_task(idempotency_key="once")
    first, _ = await stores.tasks.create(task)
    assert await stores.tasks.create(replace(task, id="f" * 32)) == (first, False)


async def test_another_tenant_may_use_the_same_idempotency_key(stores: StoreSet, new_task: TaskMaker) -> None:
    await stores.tasks.create(new_task(idempotency_key="once"))
    assert (await stores.tasks.create(new_task(idempotency_key="once", key_id="key-b")))[1]


async def test_an_idempotency_key_serves_one_request_only(stores: StoreSet, new_task: TaskMaker) -> None:
    await stores.tasks.create(new_task(idempotency_key="once"))
    with pytest.raises(TaskError):
        await stores.tasks.create(new_task(idempotency_key="once"))


async def test_a_create_whose_answer_was_lost_can_be_repeated(stores: StoreSet, new_task: TaskMaker) -> None:
    task = new_task()
    first, _ = await stores.tasks.create(task)
    assert await stores.tasks.create(task) == (first, False)


async def test_of_many_creates_at_once_with_one_key_one_is_new(stores: StoreSet, new_task: TaskMaker) -> None:
    task = new_task(idempotency_key="once")
    answers = await asyncio.gather(*(stores.tasks.create(replace(task, id=f"{n:032x}")) for n in range(20)))
    assert sum(is_new for _, is_new in answers) == 1
    assert len({created.id for created, _ in answers}) == 1


async def test_creates_at_once_answer_each_caller_its_own(stores: StoreSet, new_task: TaskMaker) -> None:
    asked = [new_task() for _ in range(100)]
    answers = await asyncio.gather(*(stores.tasks.create(task) for task in asked))
    assert [created.id for created, _ in answers] == [task.id for task in asked]
    assert await stores.tasks.count(states=[TaskState.QUEUED]) == 100


async def test_a_caller_who_gives_up_takes_nobody_along(stores: StoreSet, new_task: TaskMaker) -> None:
    calls = [asyncio.create_task(stores.tasks.create(new_task())) for _ in range(20)]
    await asyncio.sleep(0)
    calls[3].cancel()
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for n, answer in enumerate(done) if n != 3] == [tuple] * 19


async def test_positions_follow_priority_then_age(stores: StoreSet, new_task: TaskMaker) -> None:
    batch = [new_task(priority=Priority.BATCH) for _ in range(2)]
    interactive = [new_task() for _ in range(2)]
    for task in (*batch, *interactive):
        await stores.tasks.create(task)
    assert [await stores.tasks.position(task.id) for task in (*interactive, *batch)] == [0, 1, 2, 3]
    await stores.tasks.lease("worker", limit=1, duration=LEASE)
    assert [await stores.tasks.position(task.id) for task in (*interactive, *batch)] == [0, 0, 1, 2]


async def test_the_backlog_is_what_is_queued(stores: StoreSet, new_task: TaskMaker) -> None:
    assert await stores.tasks.backlog() == Backlog(0, None)
    tasks = [(await stores.tasks.create(new_task(key_id=key)))[0] for key in ("key-a", "key-b", "key-a")]
    taken = await stores.tasks.lease("worker", limit=1, duration=LEASE)
    assert await stores.tasks.backlog() == Backlog(2, tasks[1].created_at)
    await stores.tasks.reclaim(taken, max_losses=3)
    assert await stores.tasks.backlog() == Backlog(3, tasks[0].created_at)


async def test_pages_hold_every_task_once_newest_first(stores: StoreSet, new_task: TaskMaker) -> None:
    ids = [(await stores.tasks.create(new_task()))[0].id for _ in range(7)]
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        page, cursor = await stores.tasks.list_tasks(cursor=cursor, limit=3)
        seen += [task.id for task in page]
    assert (seen, cursor) == (ids[::-1], None)
    page, cursor = await stores.tasks.list_tasks(skip=2, limit=3)
    assert ([task.id for task in page], cursor is None) == (ids[::-1][2:5], False)
    page, cursor = await stores.tasks.list_tasks(skip=6, limit=3)
    assert ([task.id for task in page], cursor) == (ids[:1], None)


async def test_lists_are_filtered(stores: StoreSet, new_task: TaskMaker, clock: ManualClock) -> None:
    await stores.tasks.create(new_task(key_id="key-b"))
    await stores.tasks.create(new_task(model="other"))
    noon = clock.now()
    late = new_task()
    await stores.tasks.create(late)
    await stores.tasks.cancel(late.id)

    async def num(**filters: object) -> int:
        listed = len((await stores.tasks.list_tasks(**filters))[0])  # pyright: ignore[reportArgumentType]
        assert await stores.tasks.count(**filters) == listed  # pyright: ignore[reportArgumentType]
        return listed

    assert await num() == 3
    assert await num(key_id="key-b") == 1
    assert await num(model="other") == 1
    assert await num(states=[TaskState.CANCELLED, TaskState.FAILED]) == 1
    assert await num(states=[TaskState.CANCELLED], model="other") == 0
    assert await num(states=[TaskState.QUEUED], model="other", key_id="key-a", created_before=noon) == 1
    assert await num(states=[TaskState.SUCCEEDED]) == 0
    assert await num(states=[TaskState.SUCCEEDED, TaskState.CANCELLED]) == 1
    assert await num(states=[TaskState.SUCCEEDED, TaskState.QUEUED], model="other") == 1
    assert await num(states=[TaskState.QUEUED, TaskState.CANCELLED], key_id="key-a") == 2
    assert await num(states=list(TaskState)) == 3
    assert await num(created_after=noon) == 1
    assert await num(created_before=noon) == 2
    assert await stores.tasks.count(key_id="key-a", states=[TaskState.QUEUED]) == 1


@pytest.mark.parametrize("cursor", ["", "x", "é", "AAAA", "MjAyNi0wMS0wMVQwMDowMDowMCB4"])
async def test_a_foreign_cursor_is_refused(stores: StoreSet, cursor: str) -> None:
    with pytest.raises(RequestError, match="cursor"):
        await stores.tasks.list_tasks(cursor=cursor)


async def test_only_final_tasks_are_deleted_and_their_usage_stays(stores: StoreSet, new_task: TaskMaker) -> None:
    task = new_task(webhook_url="https://a.example/x")
    waiting = new_task()
    await finish(stores, task)
    await stores.tasks.create(waiting)
    with pytest.raises(TaskError, match="queued"):
        await stores.tasks.delete(waiting.id)
    await stores.tasks.delete(task.id)
    with pytest.raises(TaskNotFoundError):
        await stores.tasks.get(task.id)
    assert [row.task_id async for row in stores.accounts.usage()] == [task.id]
    assert await stores.webhooks.deliveries() == []


async def test_what_an_idempotency_key_made_is_found_by_its_own_key_and_request(
    stores: StoreSet, new_task: TaskMaker
) -> None:
    await stores.tasks.create(new_task())
    task, _ = await stores.tasks.create(new_task(idempotency_key="once", fingerprint="asked"))
    assert await stores.tasks.find_repeated("key-a", "once", "asked") == task
    assert await stores.tasks.find_repeated("key-a", "another", "asked") is None
    assert await stores.tasks.find_repeated("key-b", "once", "asked") is None
    with pytest.raises(TaskError, match="another request"):
        await stores.tasks.find_repeated("key-a", "once", "asked otherwise")


async def test_old_final_tasks_expire_and_are_told(stores: StoreSet, new_task: TaskMaker, clock: ManualClock) -> None:
    old = [new_task() for _ in range(3)]
    for task in old:
        await finish(stores, task)
    noon = clock.now()
    clock.advance(timedelta(days=1))
    young, waiting = new_task(), new_task()
    await finish(stores, young)
    await stores.tasks.create(waiting)
    first = await stores.tasks.expire(finished_before=noon, limit=2)
    rest = await stores.tasks.expire(finished_before=noon)
    assert {task.id for task in (*first, *rest)} == {task.id for task in old}
    assert len(first) == 2
    assert all(task.outputs for task in first)
    assert await stores.tasks.count() == 2


async def test_files_are_referenced_as_long_as_a_task_names_them(stores: StoreSet, new_task: TaskMaker) -> None:
    keys = ["inputs/a", "inputs/b", "outputs/1/0.png", "outputs/2/0.png"]
    one, two = new_task(inputs=("inputs/a", "inputs/b")), new_task(inputs=("inputs/a",))
    await finish(stores, one, "outputs/1/0.png")
    await stores.tasks.create(two)
    assert await stores.tasks.referenced_files(keys) == {"inputs/a", "inputs/b", "outputs/1/0.png"}
    await stores.tasks.delete(one.id)
    assert await stores.tasks.referenced_files(keys) == {"inputs/a"}
    assert await stores.tasks.referenced_files([]) == set()


async def test_a_store_in_order_passes_its_check(stores: StoreSet) -> None:
    await stores.tasks.check()


async def test_a_failure_is_kept(stores: StoreSet, new_task: TaskMaker) -> None:
    task, _ = await stores.tasks.create(new_task())
    [lease] = await stores.tasks.lease("worker", limit=1, duration=LEASE)
    failure = TaskFailure("content", "no")
    assert await stores.tasks.fail(lease, failure)
    failed = await stores.tasks.get(task.id)
    assert (failed.state, failed.failure) == (TaskState.FAILED, failure)
    assert failed.finished_at is not None


async def test_a_refused_task_is_failed_from_the_start_told_of_and_never_leased(
    stores: StoreSet, new_task: TaskMaker
) -> None:
    failure = TaskFailure("missing", "prompt: is required")
    refused = new_task(failure=failure, webhook_url="https://example.com/hook", price_microusd=0)
    task, is_new = await stores.tasks.create(refused)
    assert is_new
    assert task == await stores.tasks.get(refused.id)
    assert (task.state, task.failure, task.finished_at) == (TaskState.FAILED, failure, task.created_at)
    assert await stores.tasks.lease("w", limit=9, duration=LEASE) == []
    (delivery,) = await stores.webhooks.due(limit=9, duration=LEASE)
    assert (delivery.task_id, delivery.url) == (refused.id, "https://example.com/hook")
    assert not (await stores.tasks.create(refused))[1]
    assert len(await stores.webhooks.deliveries()) == 1
