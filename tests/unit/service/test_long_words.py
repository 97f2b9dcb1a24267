"""Words to be enriched that are longer, or more tiresome, than any prompt: nobody waits for them."""

import pytest

from overpaint.core.errors import RequestError
from overpaint.service.enhance import RuleEnhancer
from tests.unit.service.world import World

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("prompt", "rule"),
    [("." * 5001 + "x", "at most 5000"), ("a" * 5001, "at most 5000"), (" ", "blank"), ("\ud83d", "half characters")],
)
async def test_no_more_is_enriched_than_is_painted(world: World, prompt: str, rule: str) -> None:
    with pytest.raises(RequestError, match=rule):
        await world.service.submit.enhance(world.caller, prompt, is_edit=False)


async def test_a_million_dots_are_looked_at_once() -> None:
    """Not once for each of them, which took hours and held everybody up."""
    prompt = "." * 1_000_000 + "x"
    assert (await RuleEnhancer().enhance(prompt, is_edit=False)).startswith(prompt)


@pytest.mark.parametrize("ending", [".", " . ", "!?", "。", "\u3000\n", "\u2003"])
async def test_the_end_of_a_sentence_goes_before_words_are_added(ending: str) -> None:
    assert (await RuleEnhancer().enhance(f"a cat{ending}", is_edit=False)).startswith("a cat, ")
