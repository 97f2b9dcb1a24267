"""What is accepted and what is not, and that what is not leaves nothing behind."""

import asyncio
import base64
import threading
import tracemalloc
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overpaint.core.account import KeyLimits
from overpaint.core.errors import BudgetError, ContentError, PictureError, RateLimitError, RequestError, TaskError
from overpaint.core.request import AdapterRef
from overpaint.core.sizes import Size, SizeRules
from overpaint.core.task import Priority, Task, TaskFailure, TaskState
from overpaint.service import pictures, submit
from overpaint.service.canvas import painted_size
from overpaint.service.draft import (
    PictureBytes,
    PictureDataUri,
    PictureFile,
    PictureUrl,
    picture_source,
)
from overpaint.service.pictures import read_data_uri
from overpaint.service.safety import Safety
from tests.unit.service.conftest import NewWorld
from tests.unit.service.world import World, draft, png, until

pytestmark = pytest.mark.anyio

PICTURE = PictureBytes(png())
BAD_FIELDS: list[tuple[str, dict[str, Any]]] = [
    ("model", {"model": "nobody/knows"}),
    ("prompt", {"prompt": "  "}),
    ("prompt", {"prompt": "x" * 5001}),
    ("prompt", {"prompt": "a\0b"}),
    ("prompt", {"prompt": "a\ud800"}),
    ("negative_prompt", {"negative_prompt": "x" * 5001}),
    ("negative_prompt", {"negative_prompt": "a\ud800"}),
    ("size", {"size": "large"}),
    ("size", {"size": "16:10"}),
    ("size", {"size": "63x640"}),
    ("size", {"size": "512x1537"}),
    ("size", {"size": Size(1, 1)}),
    ("size", {"size": -1.0}),
    ("size", {"size": "1536x64"}),
    ("seed", {"seed": -2}),
    ("seed", {"seed": 2**31}),
    ("num_images", {"num_images": 0}),
    ("num_images", {"num_images": 7}),
    ("steps", {"steps": 0}),
    ("steps", {"steps": 201}),
    ("true_cfg_scale", {"true_cfg_scale": 0.5}),
    ("webhook_url", {"webhook_url": "ftp://a.example"}),
    ("webhook_url", {"webhook_url": "http://me:you@a.example"}),
    ("idempotency_key", {"idempotency_key": ""}),
    ("idempotency_key", {"idempotency_key": "x" * 256}),
    ("adapters", {"adapters": (AdapterRef("a"),) * 5}),
    ("adapters[0]", {"adapters": (AdapterRef("a"),)}),
    ("adapters[0]", {"adapters": (AdapterRef("https://a.example/b.safetensors"),)}),
    ("images", {"pictures": (PICTURE,) * 7}),
    ("images", {"model": "qwen-image-edit-plus"}),
    ("images", {"model": "shop/text-to-image", "pictures": (PICTURE,)}),
    ("images[0]", {"pictures": (PictureBytes(b"no picture"),)}),
    ("images[0]", {"pictures": (PictureBytes(png()[:60]),)}),
    ("image_url", {"pictures": (PICTURE, PictureUrl("https://x.example/404", called="image_url"))}),
    ("mask_url", {"pictures": (PICTURE,), "mask": PictureBytes(b"no picture", called="mask_url")}),
    ("images[1]", {"pictures": (PICTURE, PictureBytes(png(8, 8)))}),
    ("images[0]", {"pictures": (PictureUrl("https://x.example/404"),)}),
    ("images[0]", {"pictures": (PictureDataUri("data:image/png;base64,%%%"),)}),
    ("images[0]", {"pictures": (PictureDataUri("data:nothing"),)}),
    ("images[0]", {"pictures": (PictureFile("inputs/abc"),)}),
    ("images[0]", {"pictures": (PictureFile("uploads/somebody/abc"),)}),
    ("images[0]", {"pictures": (PictureFile("outputs/nothing/0.png"),)}),
    ("mask", {"mask": PICTURE}),
    ("mask", {"pictures": (PICTURE,), "mask": PictureBytes(png(64, 64))}),
]


@pytest.mark.parametrize(("field", "asked"), BAD_FIELDS)
async def test_a_bad_field_is_named_and_leaves_nothing(still: World, field: str, asked: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as refusal:
        await still.submit(**asked)
    assert refusal.value.field == field
    assert await still.service.tasks.count(still.caller) == 0
    assert [file async for file in still.outputs.list_files("inputs/")] == []


async def test_the_catalogue_fills_in_what_is_not_asked(still: World) -> None:
    task = await still.submit(model="qwen-image-2.0-pro", steps=None, num_images=2)
    assert task.spec.steps == 40
    assert task.price_microusd == 60_000
    assert task.spec.seed >= 0
    assert task.spec.model == "qwen-image-2.0-pro"


async def test_an_alias_is_kept_as_it_was_asked_for(still: World) -> None:
    task = await still.submit(model="shop/edit", pictures=(PICTURE,), priority=Priority.BATCH)
    assert task.spec.model == "shop/edit"
    assert task.priority is Priority.BATCH


async def test_an_idempotency_key_gives_the_same_task_and_refuses_another_request(still: World) -> None:
    first = await still.submit(idempotency_key="k", pictures=(PICTURE,))
    assert (await still.submit(idempotency_key="k", pictures=(PICTURE,))).id == first.id
    with pytest.raises(TaskError):
        await still.submit(idempotency_key="k", prompt="another", pictures=(PICTURE,))
    other = await still.service.submit.submit(still.stranger, draft(idempotency_key="k", pictures=(PICTURE,)))
    assert other.id != first.id


class CountingEnhancer:
    num_asked = 0

    async def enhance(self, prompt: str, *, is_edit: bool) -> str:
        del is_edit
        self.num_asked += 1
        return prompt


async def test_a_repeat_is_given_its_task_although_its_picture_is_gone(new_world: NewWorld) -> None:
    enhancer = CountingEnhancer()
    world = await new_world(enhancer=enhancer, is_started=False)
    world.fetcher.pictures["https://x.example/once.png"] = png()
    asked: dict[str, Any] = {"pictures": (PictureUrl("https://x.example/once.png"),), "enhance": True}
    first = await world.submit(idempotency_key="k", **asked)
    world.fetcher.pictures.clear()
    assert await world.submit(idempotency_key="k", **asked) == first
    with pytest.raises(TaskError, match="another request"):
        await world.submit(idempotency_key="k", prompt="another", **asked)
    assert enhancer.num_asked == 1
    with pytest.raises(PictureError):
        await world.submit(idempotency_key="another", **asked)


async def test_two_requests_with_one_new_idempotency_key_are_one_work(new_world: NewWorld) -> None:
    enhancer = CountingEnhancer()
    world = await new_world(enhancer=enhancer, is_started=False)
    world.fetcher.pictures["https://x.example/a"] = png()
    world.fetcher.gate.clear()
    asked: dict[str, Any] = {"pictures": (PictureUrl("https://x.example/a"),), "enhance": True, "idempotency_key": "k"}
    first, second = (asyncio.create_task(world.submit(**asked)) for _ in range(2))
    await until(lambda: world.fetcher.num_fetched == 1)
    other = asyncio.create_task(world.submit(**asked | {"prompt": "another"}))
    await until(lambda: world.fetcher.num_fetched == 2)
    world.fetcher.gate.set()
    *twins, third = await asyncio.gather(first, second, other, return_exceptions=True)
    assert world.fetcher.num_fetched == 2, "once for each of the two prompts"
    assert await world.service.tasks.count(world.caller) == 1
    winners, losers = ([third], twins) if isinstance(third, Task) else (twins, [third])  # whose picture is read sooner
    assert len({cast("Task", winner).id for winner in winners}) == 1
    assert all(isinstance(loser, TaskError) and "another request" in loser.message for loser in losers)


async def test_a_client_that_left_while_its_key_was_new_is_given_the_task_when_it_comes_back(still: World) -> None:
    still.fetcher.pictures["https://x.example/a"] = png()
    still.fetcher.gate.clear()
    asked: dict[str, Any] = {"pictures": (PictureUrl("https://x.example/a"),), "idempotency_key": "k"}
    first = asyncio.create_task(still.submit(**asked))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    retry = asyncio.create_task(still.submit(**asked))
    await asyncio.sleep(0.01)
    still.fetcher.gate.set()
    assert (await retry).idempotency_key == "k"
    assert (still.fetcher.num_fetched, await still.service.tasks.count(still.caller)) == (1, 1)


async def test_wishes_for_several_fresh_pictures_are_not_joined(still: World) -> None:
    tasks = await asyncio.gather(*(still.submit() for _ in range(4)))
    assert len({task.id for task in tasks}) == 4


@pytest.mark.parametrize("asked", [{"seed": 7}, {"is_retry": True}])
async def test_an_identical_request_in_flight_is_joined(still: World, asked: dict[str, Any]) -> None:
    still.fetcher.pictures["https://x.example/a"] = png()
    still.fetcher.gate.clear()
    pictures = (PictureUrl("https://x.example/a"),)
    first = asyncio.create_task(still.submit(pictures=pictures, **(asked | {"is_retry": False})))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(still.submit(pictures=pictures, **asked))
    different = asyncio.create_task(still.submit(pictures=pictures, prompt="a dog", **asked))
    await asyncio.sleep(0.01)
    still.fetcher.gate.set()
    assert (await first).id == (await second).id != (await different).id


async def test_the_retry_of_a_client_that_went_away_gets_the_first_task(still: World) -> None:
    still.fetcher.pictures["https://x.example/a"] = png()
    still.fetcher.gate.clear()
    pictures = (PictureUrl("https://x.example/a"),)
    first = asyncio.create_task(still.submit(pictures=pictures))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    still.fetcher.gate.set()
    await asyncio.sleep(0.1)
    assert await still.service.tasks.count(still.caller) == 1, "it goes on without its caller"
    retried = await still.submit(pictures=pictures)
    assert await still.service.tasks.count(still.caller) == 1
    assert (await still.submit(pictures=pictures)).id != retried.id, "and it is given once"


async def test_what_nobody_heard_of_is_kept_for_a_minute_and_not_when_it_failed(still: World) -> None:
    task = await still.submit()
    still.service.submit.note_unheard(task)
    assert (await still.submit()).id == task.id
    still.service.submit.note_unheard(task)
    still.clock.passed_s += 61
    assert (await still.submit()).id != task.id
    other = await still.submit(prompt="x")
    still.service.submit.note_unheard(other)
    await still.service.tasks.cancel(still.caller, other.id)
    assert (await still.submit(prompt="x")).id != other.id


async def limited(world: World, limits: KeyLimits) -> World:
    key, _ = await world.service.keys.create("limited", limits=limits)
    world.caller = type(world.caller)(key)
    return world


async def test_open_tasks_are_limited_also_when_they_come_at_once(still: World) -> None:
    world = await limited(still, KeyLimits(max_open_tasks=3))
    results = await asyncio.gather(*(world.submit() for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(result, RateLimitError) for result in results) == 7
    page = await world.service.tasks.list_tasks(world.caller)
    await world.service.tasks.cancel(world.caller, page.tasks[0].id)
    assert (await world.submit()).state is TaskState.QUEUED


async def test_a_repeat_with_its_key_is_given_its_task_although_there_is_no_room(still: World) -> None:
    world = await limited(still, KeyLimits(max_open_tasks=1))
    first = await world.submit(idempotency_key="once", seed=1)
    assert (await world.submit(idempotency_key="once", seed=1)).id == first.id
    with pytest.raises(RateLimitError):
        await world.submit(idempotency_key="another", seed=1)


async def test_a_budget_counts_what_is_reserved_and_is_never_overdrawn(still: World) -> None:
    world = await limited(still, KeyLimits(monthly_budget_microusd=50_000))
    results = await asyncio.gather(*(world.submit() for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(result, BudgetError) for result in results) == 3
    with pytest.raises(BudgetError, match=r"\$0\.04 of this month's \$0\.05"):
        await world.submit()


async def test_requests_a_minute_are_limited_and_told(still: World) -> None:
    world = await limited(still, KeyLimits(requests_per_minute=2))
    await world.submit()
    state = world.service.limits.state(world.caller)
    assert state
    assert (state.limit, state.remaining) == (2, 1)
    await world.submit()
    with pytest.raises(RateLimitError) as refusal:
        await world.submit()
    assert 29 < refusal.value.retry_after_s <= 30
    world.clock.passed_s += 30
    await world.submit()
    assert world.service.limits.state(still.stranger) is None


class AlwaysUnsafe:
    def score(self, picture: object) -> float:
        del picture
        return 0.9


async def test_unsafe_pictures_are_refused_with_the_reason(new_world: NewWorld) -> None:
    world = await new_world(safety=Safety("block", AlwaysUnsafe()))
    with pytest.raises(ContentError, match="not safe"):
        await world.submit(pictures=(PICTURE,))
    done = await world.done(await world.submit())
    assert done.failure
    assert done.failure.code == "content"


async def test_flagging_tells_and_lets_pass(new_world: NewWorld) -> None:
    world = await new_world(safety=Safety("flag", AlwaysUnsafe()))
    done = await world.done(await world.submit(pictures=(PICTURE,)))
    assert [output.has_nsfw for output in done.outputs] == [True]


class Shout:
    async def enhance(self, prompt: str, *, is_edit: bool) -> str:
        return prompt.upper() + (" EDIT" if is_edit else "")


async def test_the_original_prompt_is_kept_beside_the_enriched_one(new_world: NewWorld) -> None:
    world = await new_world(enhancer=Shout(), is_started=False)
    plain = await world.submit()
    assert (plain.spec.prompt, plain.spec.enhanced_prompt) == ("a cat", None)
    asked = await world.submit(enhance=True, pictures=(PICTURE,))
    assert (asked.spec.prompt, asked.spec.enhanced_prompt) == ("a cat", "A CAT EDIT")
    by_model = await world.submit(model="qwen-image-2.0-pro")
    assert by_model.spec.enhanced_prompt == "A CAT"
    assert (await world.submit(model="qwen-image-2.0-pro", enhance=False)).spec.enhanced_prompt is None


def test_a_string_is_told_to_be_a_url_a_data_uri_or_base64() -> None:
    assert picture_source(" https://a.example/x ") == PictureUrl("https://a.example/x")
    assert picture_source("data:image/png;base64,AA==") == PictureDataUri("data:image/png;base64,AA==")
    assert picture_source(base64.b64encode(b"abc").decode()) == PictureBytes(b"abc")
    assert picture_source("file:///etc/passwd") == PictureUrl("file:///etc/passwd")
    for text in ("hello world", "not/base64!"):
        with pytest.raises(PictureError):
            picture_source(text)


@given(st.lists(st.sampled_from(["%41", "%", "%4", "a", "%zz", "ü"]), max_size=40), st.integers(3, 9))
def test_percent_signs_are_read_the_same_wherever_a_piece_ends(parts: list[str], piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "_PIECE_CHARS", piece)
        assert read_data_uri("data:," + "".join(parts), "images") == unquote_to_bytes("".join(parts))


def test_a_data_uri_of_percent_signs_takes_no_more_room_than_other_pictures() -> None:
    """Of 128 MiB, which may be sent, the standard library makes ten gigabytes."""
    uri = "data:image/png," + "%41" * 200_000
    tracemalloc.start()
    try:
        assert read_data_uri(uri, "images") == b"A" * 200_000
        assert tracemalloc.get_traced_memory()[1] < 20 * len(uri)
    finally:
        tracemalloc.stop()


async def test_large_data_uris_and_masks_are_read_beside_the_loop(
    still: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def noting(call: Any) -> Any:
        return lambda *args: (threads.append(threading.current_thread()), call(*args))[1]

    monkeypatch.setattr(pictures, "read_data_uri", noting(read_data_uri))
    monkeypatch.setattr(submit, "read_mask", noting(pictures.read_mask))
    uri = PictureDataUri("data:image/png;base64," + base64.b64encode(png()).decode())
    await still.submit(pictures=(uri,), mask=uri)
    assert len(threads) == 3
    assert threading.main_thread() not in threads


@given(st.integers(64, 1536), st.integers(64, 1536), st.sampled_from([16, 32, 64]), st.sampled_from([64, 256]))
def test_any_size_has_a_painted_size_of_its_shape(width: int, height: int, multiple: int, min_side: int) -> None:
    rules = SizeRules(multiple=multiple, min_side=min_side, max_side=3072)
    asked = Size(width, height)
    try:
        painted = painted_size(asked, rules)
    except RequestError:
        assert max(asked.aspect, 1 / asked.aspect) > 4
        return
    assert rules.check(painted) == painted
    assert painted.width >= min(width, 3072)
    assert painted.height >= min(height, 3072)


async def test_what_is_refused_on_purpose_is_a_failed_task_that_costs_nothing_and_is_told_of(world: World) -> None:
    asked = draft(prompt="", webhook_url="https://example.com/hook", wording={"why": "it is so"})
    task = await world.service.submit.refuse(world.caller, asked, TaskFailure("missing", "prompt: is required"))
    stored = await world.service.tasks.get(world.caller, task.id)
    assert (stored.state, stored.price_microusd, stored.spec.wording) == (TaskState.FAILED, 0, {"why": "it is so"})
    assert (await world.service.tasks.wait(world.caller, task, 1)).failure == TaskFailure(
        "missing", "prompt: is required"
    )
    await until(lambda: len(world.poster.received) == 1)
    with pytest.raises(RequestError, match="webhook_url"):
        await world.service.submit.refuse(world.caller, draft(webhook_url="ftp://x"), TaskFailure("a", "b"))


async def test_the_retry_of_a_client_that_left_while_it_was_accepted_is_given_that_one_and_no_third(
    still: World,
) -> None:
    url = "https://a.example/a.png"
    still.fetcher.pictures[url] = png()
    still.fetcher.gate.clear()
    first = asyncio.create_task(still.submit(pictures=(PictureUrl(url),)))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    retry = asyncio.create_task(still.submit(pictures=(PictureUrl(url),)))
    await asyncio.sleep(0.01)
    still.fetcher.gate.set()
    task = await retry
    assert await still.service.tasks.count(still.caller) == 1
    another = await still.submit(pictures=(PictureUrl(url),))
    assert another.id != task.id
