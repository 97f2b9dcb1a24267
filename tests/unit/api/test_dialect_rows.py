"""The rows of all dialects beside each other: each is reached in every way it names, and none takes another's calls."""

import json
from itertools import permutations

import pytest

from overpaint.api.dialect import Dialect
from overpaint.api.dialects import DIALECTS
from overpaint.api.errors import RouteError
from tests.unit.api.conftest import World

pytestmark = pytest.mark.anyio

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


@pytest.mark.parametrize("row", DIALECTS, ids=lambda row: row.name)
async def test_a_prefix_leads_to_its_dialect(world: World, row: Dialect) -> None:
    answer = await world.http.request("PROPFIND", f"{row.prefix}/nowhere/at/all")
    assert answer.status_code in (404, 405)
    assert set(answer.json()) == envelope(row)
