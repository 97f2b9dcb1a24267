"""Who gets in, and as whom."""

import asyncio

import pytest
from starlette.requests import HTTPConnection

from overpaint.core.account import KeyLimits
from overpaint.core.errors import AccessError
from overpaint.playground.visitors import COOKIE, OPEN_KEY, Visitors
from overpaint.service.keys import Keys
from overpaint.store.memory.opening import open_memory_stores
from tests.unit.api.stand_in import StandIn
from tests.unit.service.world import FakeClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def visit(host: str = "localhost:8000", client: str = "127.0.0.1", **headers: str) -> HTTPConnection:
    named = {"host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    return HTTPConnection({"type": "http", "headers": raw, "client": (client, 4711)})


async def test_a_visitor_acts_as_their_key() -> None:
    keys = StandIn().keys
    key, secret = await keys.create("shop")
    caller = await Visitors(keys).caller(visit(cookie=f"{COOKIE}={secret}"))
    assert caller.key == key
    await keys.revoke("shop")
    with pytest.raises(AccessError):
        await Visitors(keys).caller(visit(cookie=f"{COOKIE}={secret}"))


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
async def test_the_open_page_has_one_plain_key(host: str) -> None:
    keys = StandIn().keys
    visitors = Visitors(keys, is_open=True)
    first, second = await visitors.caller(visit(host)), await visitors.caller(visit(host))
    assert first.key.name == OPEN_KEY
    assert not first.is_admin
    assert first.key_id == second.key_id
    assert (await Visitors(keys, is_open=True).caller(visit(host))).key_id == first.key_id


@pytest.mark.parametrize(
    "stranger",
    [
        visit(client="10.0.0.7"),
        visit(host="evil.example"),
        visit(origin="https://evil.example"),
        visit(x_forwarded_for="10.0.0.7"),
        visit(host=""),
    ],
)
async def test_the_open_page_is_open_on_this_machine_only(stranger: HTTPConnection) -> None:
    with pytest.raises(AccessError):
        await Visitors(StandIn().keys, is_open=True).caller(stranger)


async def test_a_closed_page_knows_nobody_without_a_key() -> None:
    with pytest.raises(AccessError):
        await Visitors(StandIn().keys).caller(visit())


async def test_a_wrong_key_does_not_fall_back_to_the_open_one() -> None:
    with pytest.raises(AccessError):
        await Visitors(StandIn().keys, is_open=True).caller(visit(cookie=f"{COOKIE}=op_wrong"))


def open_page() -> tuple[Keys, Keys, FakeClock]:
    """The server's keys, the command line's on the same database, and the time."""
    clock = FakeClock()
    accounts = open_memory_stores(clock.now).accounts
    return Keys(accounts, clock), Keys(accounts, clock), clock


async def test_the_open_page_keeps_to_the_limits_that_its_key_has_by_now() -> None:
    here, there, clock = open_page()
    visitors = Visitors(here, is_open=True)
    await visitors.caller(visit())
    await there.set_limits(OPEN_KEY, KeyLimits(max_open_tasks=1))
    clock.passed_s += 1.1
    assert (await visitors.caller(visit())).limits.max_open_tasks == 1
    await here.set_limits(OPEN_KEY, KeyLimits(max_open_tasks=2))
    assert (await visitors.caller(visit())).limits.max_open_tasks == 2


async def test_a_revoked_open_page_has_another_key_which_is_made_once() -> None:
    here, there, clock = open_page()
    visitors = Visitors(here, is_open=True)
    revoked = await visitors.caller(visit())
    await there.revoke(OPEN_KEY)
    clock.passed_s += 1.1
    callers = await asyncio.gather(*(visitors.caller(visit()) for _ in range(5)))
    assert {caller.key.revoked_at for caller in callers} == {None}
    assert len({caller.key_id for caller in callers} - {revoked.key_id}) == 1
