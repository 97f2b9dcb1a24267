"""The page at `/docs` works where nothing else is in reach."""

import re

import pytest

from tests.unit.api.conftest import World

pytestmark = pytest.mark.anyio


async def test_everything_the_page_asks_for_is_this_servers_own(world: World) -> None:
    page = await world.nobody.get("/docs")
    asked = re.findall(r"""(?:src=|href=|url: )["']([^"']+)["']""", page.text)
    assert len(asked) == 4
    for url in asked:
        assert not re.match(r"\w+:|/", url), f"{url} would leave the host, or the prefix it is served below"
        assert (await world.nobody.get(f"/{url}")).status_code == 200


async def test_the_servers_own_calls_come_first_and_each_group_is_there(world: World) -> None:
    document = (await world.nobody.get("/openapi.json")).json()
    used = {tag for methods in document["paths"].values() for call in methods.values() for tag in call["tags"]}
    assert document["tags"][0]["name"] == "tasks"
    assert {tag["name"] for tag in document["tags"]} <= used
