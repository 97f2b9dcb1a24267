"""Deliveries: at least once, the same id, growing pauses, a day at most."""

import asyncio
import base64
import hashlib
import hmac
from datetime import timedelta

import pytest

from overpaint.core.account import WebhookDelivery
from overpaint.service.build import Policies
from overpaint.service.webhooks import Signing, WebhookFormat, WebhookPolicy, sign_standard
from tests.unit.service.conftest import NewWorld
from tests.unit.service.world import World, draft, plain_signature, until

pytestmark = pytest.mark.anyio

URL = "https://hooks.example/x"


async def delivery_of(world: World, task_id: str) -> WebhookDelivery:
    [delivery] = await world.service.webhooks.deliveries(task_id=task_id)
    return delivery


async def test_a_finished_task_is_told_once(world: World) -> None:
    task = await world.done(await world.submit(webhook_url=URL))
    await until(lambda: len(world.poster.received) == 1)
    [(url, headers, body)] = world.poster.received
    assert url == URL
    assert body == f'{{"id": "{task.id}", "state": "succeeded"}}'.encode()
    delivery = await delivery_of(world, task.id)
    assert headers["id"] == delivery.id
    await until(lambda: _is_delivered(world, task.id))
    assert not await world.service.webhooks.fill()
    await world.deliver_due()
    assert len(world.poster.received) == 1


async def _is_delivered(world: World, task_id: str) -> bool:
    return (await delivery_of(world, task_id)).delivered_at is not None


async def test_a_cancelled_task_is_told_too(still: World) -> None:
    task = await still.submit(webhook_url=URL)
    await still.service.tasks.cancel(still.caller, task.id)
    await still.deliver_due()
    assert b"cancelled" in still.poster.received[0][2]


@pytest.mark.parametrize("status", [0, 301, 404, 500])
async def test_what_fails_is_tried_again_with_the_same_id(still: World, status: int) -> None:
    task = await still.submit(webhook_url=URL)
    await still.service.tasks.cancel(still.caller, task.id)
    still.poster.status = status
    await still.deliver_due()
    failed = await delivery_of(still, task.id)
    assert failed.attempts == 1
    assert failed.last_error
    assert failed.next_attempt_at
    still.poster.status = 200
    still.poster.received.clear()
    await still.deliver_due()
    assert still.poster.received == [], "not before its time"
    still.clock.passed_s += 6
    await still.deliver_due()
    assert still.poster.received[0][1]["id"] == failed.id
    assert (await delivery_of(still, task.id)).delivered_at


async def test_a_deleted_task_has_nothing_to_tell(still: World) -> None:
    task = await still.submit(webhook_url=URL)
    await still.service.tasks.cancel(still.caller, task.id)
    await still.service.tasks.delete(still.caller, task.id)
    await still.deliver_due()
    assert still.poster.received == []
    assert all(row.next_attempt_at is None for row in await still.service.webhooks.deliveries())


async def test_a_dialect_without_a_form_of_its_own_speaks_native(new_world: NewWorld) -> None:
    world = await new_world(is_started=False)
    task = await world.submit(webhook_url=URL, dialect="unheard-of")
    await world.service.tasks.cancel(world.caller, task.id)
    await world.deliver_due()
    assert len(world.poster.received) == 1


async def test_nobody_waits_for_anothers_silent_receiver(world: World) -> None:
    silent = [await world.submit(webhook_url="https://hooks.example/silent") for _ in range(20)]
    for task in silent:
        await world.done(task)
    await world.done(await world.submit(webhook_url=URL))
    await until(lambda: [url for url, _, _ in world.poster.received] == [URL], timeout_s=5)


async def test_one_keys_silent_receivers_leave_room_for_those_of_others(new_world: NewWorld) -> None:
    policy = WebhookPolicy(most_under_way=8, most_of_a_key=4)
    world = await new_world(policies=Policies(b"0123456789abcdef", webhooks=policy), is_started=False)
    for _ in range(20):
        task = await world.submit(webhook_url="https://hooks.example/silent")
        await world.service.tasks.cancel(world.caller, task.id)
    task = await world.service.submit.submit(world.stranger, draft(webhook_url=URL))
    await world.service.tasks.cancel(world.stranger, task.id)
    await world.service.start()
    await until(lambda: [url for url, _, _ in world.poster.received] == [URL], timeout_s=5)
    assert [job.get_name().partition(" ")[0] for job in asyncio.all_tasks()].count("webhook") == 4


async def test_more_than_go_out_at_once_go_out_one_after_the_other(new_world: NewWorld) -> None:
    world = await new_world(policies=Policies(b"0123456789abcdef", webhooks=WebhookPolicy(most_under_way=2)))
    for _ in range(9):
        await world.done(await world.submit(webhook_url=URL))
    await until(lambda: len(world.poster.received) == 9)


async def test_a_bug_while_it_is_worded_is_put_off_like_any_failure(
    still: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(_: object) -> bytes:
        raise ZeroDivisionError("division by zero")

    task = await still.submit(webhook_url=URL)
    await still.service.tasks.cancel(still.caller, task.id)
    monkeypatch.setattr(still.service.webhooks, "_formats", {"native": WebhookFormat(break_down, plain_signature)})
    await still.deliver_due()
    put_off = await delivery_of(still, task.id)
    assert put_off.attempts == 1
    assert "ZeroDivisionError" in (put_off.last_error or "")
    assert put_off.next_attempt_at
    assert put_off.next_attempt_at > still.clock.now()
    assert "cannot be made" in caplog.text


def test_pauses_grow_to_an_hour_and_end_after_a_day() -> None:
    from datetime import UTC, datetime

    born = datetime(2026, 1, 1, tzinfo=UTC)
    policy, now, pauses = WebhookPolicy(), born, []
    for attempts in range(100):
        delivery = WebhookDelivery("d", "t", "k", URL, attempts, born, now)
        at = policy.next_attempt(delivery, now)
        if at is None:
            break
        pauses.append((at - now).total_seconds())
        now = at
    assert pauses[:7] == [5, 15, 60, 300, 900, 1800, 3600]
    assert set(pauses[7:]) == {3600}
    assert timedelta(hours=23) < now - born <= timedelta(hours=24)


def test_the_standard_signature_can_be_checked_by_the_standard() -> None:
    secret = "whsec_" + "ab" * 32
    headers = sign_standard(Signing("msg_1", 1700000000, b'{"a":1}', secret))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = hmac.new(key, b'msg_1.1700000000.{"a":1}', hashlib.sha256).digest()
    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": "v1," + base64.b64encode(expected).decode(),
    }
