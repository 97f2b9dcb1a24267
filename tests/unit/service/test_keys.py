"""Keys: shown once, stored hashed, gone when revoked."""

import re

import pytest

from overpaint.core.account import KeyLimits
from overpaint.core.errors import AccessError, RequestError
from overpaint.service.keys import Keys, hash_secret
from overpaint.store.memory.opening import open_memory_stores
from tests.unit.service.world import FakeClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def keys(clock: FakeClock) -> Keys:
    return Keys(open_memory_stores(clock.now).accounts, clock)


async def test_the_secret_opens_and_is_nowhere(keys: Keys) -> None:
    key, secret = await keys.create("shop", is_admin=True)
    assert re.fullmatch(r"op_[\w-]{43}", secret)
    assert secret not in repr(key)
    assert key.secret_hash == hash_secret(secret)
    caller = await keys.authenticate(secret)
    assert (caller.key_id, caller.is_admin) == (key.id, True)


@pytest.mark.parametrize("secret", [None, "", "op_", "op_wrong", "\ud800", "é" * 50])
async def test_other_secrets_do_not(keys: Keys, secret: str | None) -> None:
    await keys.create("shop")
    with pytest.raises(AccessError):
        await keys.authenticate(secret)


async def test_a_revoked_key_is_refused_at_once(keys: Keys) -> None:
    _, secret = await keys.create("shop")
    await keys.authenticate(secret)
    await keys.revoke("shop")
    with pytest.raises(AccessError):
        await keys.authenticate(secret)
    assert (await keys.list_keys())[0].revoked_at


async def test_what_another_process_revoked_is_refused_after_a_second(clock: FakeClock) -> None:
    accounts = open_memory_stores(clock.now).accounts
    here, there = Keys(accounts, clock), Keys(accounts, clock)
    _, secret = await here.create("shop")
    await here.authenticate(secret)
    await there.revoke("shop")
    clock.passed_s += 1.1
    with pytest.raises(AccessError):
        await here.authenticate(secret)


async def test_what_another_process_changed_counts_by_id_after_a_second(clock: FakeClock) -> None:
    accounts = open_memory_stores(clock.now).accounts
    here, there = Keys(accounts, clock), Keys(accounts, clock)
    key, _ = await here.create("shop")
    assert await here.by_id(key.id) == key
    await there.set_limits("shop", KeyLimits(max_open_tasks=2))
    clock.passed_s += 1.1
    found = await here.by_id(key.id)
    assert found
    assert found.limits.max_open_tasks == 2
    await there.revoke("shop")
    clock.passed_s += 1.1
    found = await here.by_id(key.id)
    assert found
    assert found.revoked_at


async def test_a_key_is_not_looked_up_by_id_each_time(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = open_memory_stores(clock.now).accounts
    keys = Keys(accounts, clock)
    key, _ = await keys.create("shop")
    assert await keys.by_id(key.id)
    monkeypatch.setattr(accounts, "list_keys", None)
    assert await keys.by_id(key.id) == key


async def test_limits_change_for_the_next_request(keys: Keys) -> None:
    key, secret = await keys.create("shop")
    await keys.authenticate(secret)
    await keys.set_limits("shop", KeyLimits(max_open_tasks=2))
    assert (await keys.authenticate(secret)).limits.max_open_tasks == 2
    found = await keys.by_id(key.id)
    assert found
    assert found.limits.max_open_tasks == 2


@pytest.mark.parametrize("name", ["", " x", "a" * 65, "a\nb", "a;b"])
async def test_names_must_be_fit_to_print(keys: Keys, name: str) -> None:
    with pytest.raises(RequestError):
        await keys.create(name)


async def test_a_name_is_taken_once(keys: Keys) -> None:
    await keys.create("shop")
    with pytest.raises(RequestError):
        await keys.create("shop")
    with pytest.raises(RequestError):
        await keys.revoke("nobody")


@pytest.mark.parametrize(
    "limits",
    [KeyLimits(requests_per_minute=0), KeyLimits(max_open_tasks=0), KeyLimits(monthly_budget_microusd=-1)],
)
async def test_limits_that_forbid_everything_are_mistakes(keys: Keys, limits: KeyLimits) -> None:
    with pytest.raises(RequestError):
        await keys.create("shop", limits=limits)


async def test_keys_are_found_by_id_whenever_they_were_made(keys: Keys) -> None:
    first, _ = await keys.create("a")
    assert await keys.by_id(first.id)
    second, _ = await keys.create("b")
    assert await keys.by_id(second.id)
    assert await keys.by_id("key_none") is None


@pytest.mark.parametrize(
    "limits",
    [
        KeyLimits(requests_per_minute=0),
        KeyLimits(max_open_tasks=2**31),
        KeyLimits(monthly_budget_microusd=10**15 + 1),
        KeyLimits(max_upload_mib=-1),
    ],
)
async def test_a_limit_is_one_that_every_database_can_hold_and_the_list_of_keys_can_show(
    keys: Keys, limits: KeyLimits
) -> None:
    """`keys create --open-tasks 3000000000` made the list of all keys an unexpected error."""
    with pytest.raises(RequestError, match="must be"):
        await keys.create("shop", limits=limits)
    await keys.create("shop")
    with pytest.raises(RequestError, match="must be"):
        await keys.set_limits("shop", limits)
