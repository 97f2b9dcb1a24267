"""The null engine keeps the promises of `core.ports.EngineClient`, and `painting.paint` keeps to them."""

from collections.abc import Iterator

import pytest

from overpaint.core.errors import BackendError, CancelledTaskError, RequestError, TaskError
from overpaint.core.events import Event, Failed, Finished, Preview, Progress, is_final
from overpaint.core.picture import Picture
from overpaint.core.ports import EngineClient
from overpaint.core.request import GenerationRequest, OutputSpec
from overpaint.core.sizes import Size
from overpaint.core.terms import Terms
from overpaint.engine.null import NullEngine
from overpaint.painting import paint

REQUEST = GenerationRequest("a cat", seed=5, steps=3, num_images=2, size=Size(128, 64))


@pytest.fixture
def engine() -> Iterator[EngineClient]:
    client: EngineClient = NullEngine()
    yield client
    client.close()


def test_events_count_up_and_end_with_the_result(engine: EngineClient) -> None:
    engine.submit("t", REQUEST)
    events = list(engine.events("t"))
    steps = [event.step for event in events if isinstance(event, Progress)]
    assert steps == sorted(steps)
    assert steps[-1] == 6
    assert [is_final(event) for event in events] == [False] * (len(events) - 1) + [True]
    assert isinstance(events[-1], Finished)
    result = events[-1].result
    assert [image.seed for image in result.images] == [5, 6]
    assert {(image.picture.width, image.picture.height) for image in result.images} == {(128, 64)}


def test_the_picture_depends_on_prompt_and_seed_alone(engine: EngineClient) -> None:
    first, again = (paint(engine, REQUEST).images for _ in range(2))
    assert first == again
    assert first[0].picture != first[1].picture


def test_a_fresh_seed_is_drawn_and_told(engine: EngineClient) -> None:
    request = GenerationRequest("a cat", steps=1, size=Size(64, 64))
    seeds = {paint(engine, request).images[0].seed for _ in range(8)}
    assert len(seeds) > 1
    assert min(seeds) >= 0


def test_transparency_is_painted_when_asked_for(engine: EngineClient) -> None:
    request = GenerationRequest("x", size=Size(64, 64), output=OutputSpec(background="transparent"))
    assert paint(engine, request).images[0].picture.mode == "RGBA"


def test_previews_come_as_often_as_the_terms_say_and_name_their_picture(engine: EngineClient) -> None:
    engine.submit("t", REQUEST, Terms(preview_every=2))
    assert [(event.step, event.index) for event in engine.events("t") if isinstance(event, Preview)] == [
        (2, 0),
        (4, 1),
        (6, 1),
    ]


def test_a_mask_keeps_what_is_outside_and_the_sides_of_its_picture(engine: EngineClient) -> None:
    source = Picture(4, 2, "RGB", bytes([9, 8, 7]) * 8)
    mask = Picture(4, 2, "L", bytes([0, 0, 255, 255]) * 2)
    painted = paint(engine, GenerationRequest("x", pictures=(source,), mask=mask, seed=1)).images[0].picture
    assert (painted.width, painted.height) == (4, 2)
    assert painted.data[:8] == bytes([9, 8, 7, 255]) * 2
    assert painted.data[8:12] != bytes([9, 8, 7, 255])


def test_a_request_is_refused_before_it_is_taken(engine: EngineClient) -> None:
    with pytest.raises(RequestError, match="prompt"):
        engine.submit("t", GenerationRequest("word " * 600))
    with pytest.raises(RequestError, match="size"):
        engine.submit("t", GenerationRequest("x", size=Size(100, 100)))
    engine.submit("t", REQUEST)
    with pytest.raises(TaskError, match="already"):
        engine.submit("t", REQUEST)
    with pytest.raises(TaskError, match="not known"):
        engine.events("other")


def test_a_cancelled_task_ends_at_the_next_step(engine: EngineClient) -> None:
    engine.submit("t", REQUEST)
    seen: list[Event] = []
    for event in engine.events("t"):
        seen.append(event)
        engine.cancel("t")
    assert isinstance(seen[-1], Failed)
    assert isinstance(seen[-1].error, CancelledTaskError)
    assert len(seen) < 4


def test_closing_fails_what_is_left_and_refuses_what_comes(engine: EngineClient) -> None:
    engine.submit("t", REQUEST)
    events = engine.events("t")
    next(events)
    engine.close()
    engine.close()
    last = next(events)
    assert isinstance(last, Failed)
    assert isinstance(last.error, BackendError)
    with pytest.raises(BackendError):
        engine.submit("u", REQUEST)


def test_an_interrupted_watcher_cancels_the_task() -> None:
    cancelled: list[str] = []

    class Spy(NullEngine):
        def cancel(self, task_id: str) -> None:
            cancelled.append(task_id)
            super().cancel(task_id)

    def interrupt(_: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        paint(Spy(), REQUEST, interrupt)
    assert len(cancelled) == 1


def test_a_failed_task_raises_its_error() -> None:
    engine = NullEngine()

    def close(_: Event) -> None:
        engine.close()

    with pytest.raises(BackendError, match="closed"):
        paint(engine, REQUEST, close)
