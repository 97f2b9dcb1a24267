"""Who gets in, and as whom."""

import pytest
from starlette.requests import HTTPConnection

from overpaint.core.errors import AccessError
from overpaint.playground.visitors import COOKIE, OPEN_KEY, Visitors
from tests.unit.api.stand_in import StandIn

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
