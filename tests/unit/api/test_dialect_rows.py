"""The rows of all dialects beside each other: each is reached in every way it names, and none takes another's calls."""

import json
from itertools import permutations

import pytest

from overpaint.api.app import create_app
from overpaint.api.dialect import Dialect
from overpaint.api.dialects import DIALECTS
from overpaint.api.errors import RouteError
from tests.unit.api.conftest import World
from tests.unit.api.stand_in import StandIn

pytestmark = pytest.mark.anyio

LISTED: dict[str, dict[str, object]] = {
    path: methods
    for path, methods in create_app(StandIn().service).openapi()["paths"].items()
    if any(row.owns(path) for row in DIALECTS)
}
HOSTS = [(row, host.partition("/")[0]) for row in DIALECTS for host in row.hosts]


def envelope(row: Dialect) -> set[str]:
    """What an error of the dialect has at its top."""
    return set(json.loads(bytes(row.render_error(404, RouteError(404, "Not Found")).body)))


async def test_names_prefixes_and_hosts_are_each_ones_own() -> None:
    for values in ([row.name for row in DIALECTS], [row.prefix for row in DIALECTS], [host for _, host in HOSTS]):
        assert len(set(values)) == len(values)


async def test_a_native_path_is_one_dialects_own() -> None:
    """One may lie below another's: the longest that fits counts."""
    for one, other in permutations(DIALECTS, 2):
        assert not set(one.native_paths) & set(other.native_paths), (one.name, other.name)


@pytest.mark.parametrize(("row", "host"), HOSTS, ids=[host for _, host in HOSTS])
async def test_a_vendors_host_name_leads_to_its_dialect(world: World, row: Dialect, host: str) -> None:
    answer = await world.http.request("PROPFIND", "/nowhere/at/all", headers={"Host": host})
    assert answer.status_code in (404, 405)
    assert set(answer.json()) == envelope(row)


@pytest.mark.parametrize("path", sorted(path for path in LISTED if "{" not in path))
async def test_a_slash_at_the_end_changes_nothing(world: World, path: str) -> None:
    """A redirect, which not every client follows, would name this server as the proxy in front of it calls it."""
    for method in LISTED[path]:
        plain, slashed = [await world.nobody.request(method, path + end, json={}) for end in ("", "/")]
        assert (slashed.status_code, slashed.json().keys()) == (plain.status_code, plain.json().keys()), method


@pytest.mark.parametrize("path", ["/openai/v1/models", "/v1/models", "/overpaint/v1/models", "/segmind/v1/nothing"])
async def test_pages_of_any_origin_may_call(world: World, path: str) -> None:
    page = {"Origin": "https://shop.example"}
    asks = page | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, x-a"}
    may = await world.nobody.options(path, headers=asks)
    assert (may.status_code, may.headers["access-control-allow-origin"]) == (200, "*")
    assert may.headers["access-control-allow-headers"] == "authorization, x-a"
    for http in (world.http, world.nobody):
        answer = await http.get(path, headers=page)
        assert (answer.headers["access-control-allow-origin"], answer.headers["access-control-expose-headers"]) == (
            "*",
            "*",
        )
        assert "access-control-allow-credentials" not in answer.headers


async def test_pages_of_other_origins_may_not_call_what_is_no_dialect_s(world: World) -> None:
    answer = await world.http.get("/metrics", headers={"Origin": "https://shop.example"})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("row", DIALECTS, ids=lambda row: row.name)
async def test_a_prefix_leads_to_its_dialect(world: World, row: Dialect) -> None:
    answer = await world.http.request("PROPFIND", f"{row.prefix}/nowhere/at/all")
    assert answer.status_code in (404, 405)
    assert set(answer.json()) == envelope(row)
