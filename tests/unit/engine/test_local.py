"""The engine on its thread, with real weights: what a caller sees, in good times and bad."""

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from overpaint.core.config import EngineConfig
from overpaint.core.errors import (
    BackendError,
    CancelledTaskError,
    CapacityError,
    OverpaintError,
    RequestError,
    TaskError,
)
from overpaint.core.events import Event, Failed, Finished, Preview, Progress
from overpaint.core.picture import Picture
from overpaint.core.ports import EngineAwayError
from overpaint.core.request import Background, GenerationRequest, OutputSpec
from overpaint.core.result import GenerationResult
from overpaint.core.sizes import Size
from overpaint.core.terms import Terms
from overpaint.engine import painter as painter_module
from overpaint.engine.local import LocalEngine
from overpaint.engine.plan import PrefixWork
from overpaint.model.checkpoint import Checkpoint
from overpaint.model.device import responds
from tests.reference.measures import psnr_db
from tests.reference.pictures import make_picture

_PICTURE = make_picture(80, 60, seed=1)
_SHORT = GenerationRequest("a red apple", seed=1, steps=3)
_GUIDED = replace(_SHORT, negative_prompt="blurry", true_cfg_scale=2.0)
_LONG = GenerationRequest("a red apple", seed=1, steps=200)


def _run(engine: LocalEngine, task_id: str, request: GenerationRequest, terms: Terms | None = None) -> list[Event]:
    engine.submit(task_id, request, terms or Terms())
    return list(engine.events(task_id))


def _result(events: list[Event]) -> GenerationResult:
    last = events[-1]
    assert isinstance(last, Finished), last
    return last.result


def _error(events: list[Event]) -> OverpaintError:
    last = events[-1]
    assert isinstance(last, Failed), last
    return last.error


def _stages(events: list[Event]) -> list[tuple[str, int]]:
    return [(event.stage, event.step) for event in events if isinstance(event, Progress)]


def _assert_nothing_is_held_for_nobody(engine: LocalEngine) -> None:
    assert engine.wait_idle(20)
    engine.check_integrity()


def test_a_task_is_told_from_queue_to_picture(engine: LocalEngine) -> None:
    events = _run(engine, "t", _SHORT)
    stages = [stage for stage, _ in _stages(events)]
    assert list(dict.fromkeys(stages)) == ["queued", "condition", "denoise", "decode"]
    assert [step for stage, step in _stages(events) if stage == "denoise"] == [1, 2, 3]
    assert {event.num_steps for event in events if isinstance(event, Progress)} == {3}
    assert [type(event) for event in events].count(Finished) == 1


def test_steps_of_several_pictures_are_summed(engine: LocalEngine) -> None:
    events = _run(engine, "t", replace(_SHORT, num_images=3))
    assert _stages(events)[-1] == ("decode", 9)
    assert [image.seed for image in _result(events).images] == [1, 2, 3]
    assert len({image.picture.data for image in _result(events).images}) == 3


def test_a_result_says_what_was_painted_and_where_the_time_went(engine: LocalEngine) -> None:
    result = _result(_run(engine, "t", replace(_SHORT, pictures=(_PICTURE,))))
    assert result.steps == 3
    assert result.model == engine.info.name
    assert result.canvas.painted == result.canvas.delivered == Size(64, 64)
    times = result.timings
    stages = (times.condition_s, times.prefill_s, times.denoise_s, times.decode_s)
    assert all(seconds > 0 for seconds in stages)
    assert sum(stages) <= times.total_s


def test_a_larger_picture_than_the_native_area_is_painted_natively_and_resized(engine: LocalEngine) -> None:
    result = _result(_run(engine, "t", replace(_SHORT, size=Size(256, 128))))
    assert result.canvas.is_resized
    assert (result.images[0].picture.width, result.images[0].picture.height) == (256, 128)


def test_a_random_seed_is_told_and_repeats_the_picture(engine: LocalEngine) -> None:
    first = _result(_run(engine, "first", replace(_SHORT, seed=-1))).images[0]
    again = _result(_run(engine, "again", replace(_SHORT, seed=first.seed))).images[0]
    assert first.seed >= 0
    assert first.picture == again.picture


def test_previews_come_while_it_paints(engine: LocalEngine) -> None:
    events = _run(engine, "t", replace(_SHORT, steps=6), Terms(preview_every=2))
    assert [event.step for event in events if isinstance(event, Preview)] == [2, 4]


def test_transparency_that_is_asked_for_reaches_the_prompt(engine: LocalEngine) -> None:
    plain = _result(_run(engine, "plain", _SHORT)).images[0]
    asked = _result(_run(engine, "asked", replace(_SHORT, output=OutputSpec(background="transparent")))).images[0]
    assert plain.picture != asked.picture


def test_many_callers_at_once_each_get_their_own_picture(engine: LocalEngine) -> None:
    requests = [replace(_SHORT, seed=seed, steps=2 + seed, pictures=(_PICTURE,) * (seed % 2)) for seed in range(8)]
    found: dict[int, GenerationResult] = {}

    def call(index: int) -> None:
        found[index] = _result(_run(engine, str(index), requests[index]))

    callers = [threading.Thread(target=call, args=(index,)) for index in range(len(requests))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert [found[index].images[0].seed for index in range(8)] == list(range(8))
    assert [found[index].steps for index in range(8)] == [2 + index for index in range(8)]
    _assert_nothing_is_held_for_nobody(engine)


def _until_denoising(engine: LocalEngine, task_id: str) -> Any:
    events = engine.events(task_id)
    for event in events:
        if isinstance(event, Progress) and event.stage == "denoise":
            break
    return events


def test_a_cancel_between_steps_ends_the_task_and_frees_what_it_held(engine: LocalEngine) -> None:
    engine.submit("t", _LONG)
    events = _until_denoising(engine, "t")
    engine.cancel("t")
    rest = list(events)
    assert isinstance(_error(rest), CancelledTaskError)
    assert not any(isinstance(event, Finished) for event in rest)
    _assert_nothing_is_held_for_nobody(engine)


def test_a_cancel_leaves_the_others_alone(engine: LocalEngine) -> None:
    alone = _result(_run(engine, "alone", replace(_SHORT, steps=20))).images[0].picture
    engine.submit("goes", _LONG)
    engine.submit("stays", replace(_SHORT, steps=20))
    _until_denoising(engine, "goes")
    engine.cancel("goes")
    beside = _result(list(engine.events("stays"))).images[0].picture
    # uint8 of an fp32 run in other company: a rounding may tip a sample by one.
    assert max(abs(a - b) for a, b in zip(alone.data, beside.data, strict=True)) <= 1


def test_a_cancel_before_the_first_tick_ends_the_task(engine: LocalEngine) -> None:
    engine.submit("t", _LONG)
    engine.cancel("t")
    assert isinstance(_error(list(engine.events("t"))), CancelledTaskError)
    _assert_nothing_is_held_for_nobody(engine)


def test_a_cancel_of_a_task_that_ended_or_never_was_does_nothing(engine: LocalEngine) -> None:
    _run(engine, "t", _SHORT)
    engine.cancel("t")
    engine.cancel("never")
    assert _result(_run(engine, "next", _SHORT))


def test_an_open_id_is_taken(engine: LocalEngine) -> None:
    engine.submit("t", _LONG)
    with pytest.raises(TaskError, match="t is known"):
        engine.submit("t", _SHORT)


def test_nobody_listens_to_an_unknown_task(engine: LocalEngine) -> None:
    with pytest.raises(TaskError, match="nobody"):
        engine.events("nobody")


def test_an_id_can_be_used_again_as_soon_as_its_task_ended(engine: LocalEngine) -> None:
    """Whatever of the first is still to be let go must not be mistaken for the second."""
    for seed in range(12):
        assert _result(_run(engine, "t", replace(_SHORT, steps=1, seed=seed))).images[0].seed == seed
    _assert_nothing_is_held_for_nobody(engine)


def test_an_id_can_be_used_again_as_soon_as_its_task_was_cancelled(engine: LocalEngine) -> None:
    """The cancel of the first must not reach the second."""
    for seed in range(12):
        engine.submit("t", _LONG)
        engine.cancel("t")
        assert isinstance(_error(list(engine.events("t"))), CancelledTaskError)
        engine.submit("t", replace(_SHORT, steps=1, seed=seed))
        assert _result(_events_in_time(engine, "t")).images[0].seed == seed
    _assert_nothing_is_held_for_nobody(engine)


def _events_in_time(engine: LocalEngine, task_id: str, timeout_s: float = 20) -> list[Event]:
    """The task's events, or a failure when they do not end in time."""
    found: list[Event] = []
    listener = threading.Thread(target=lambda: found.extend(engine.events(task_id)), daemon=True)
    listener.start()
    listener.join(timeout_s)
    assert not listener.is_alive(), "the events never ended"
    return found


def test_closing_fails_what_is_left_and_takes_nothing_more(engine: LocalEngine) -> None:
    for task_id in ("running", "waiting"):
        engine.submit(task_id, _LONG)
    engine.close()
    for task_id in ("running", "waiting"):
        assert isinstance(_error(list(engine.events(task_id))), BackendError)
    with pytest.raises(BackendError, match="closed"):
        engine.submit("late", _SHORT)
    engine.close()
    assert not engine.crashed.is_set()


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
def test_words_beyond_the_token_limit_are_refused_before_they_are_queued(engine: LocalEngine, field: str) -> None:
    request = replace(_GUIDED, **{field: "apple " * 5000})
    with pytest.raises(RequestError) as raised:
        engine.submit("t", request)
    assert raised.value.field == field
    assert str(engine.info.max_prompt_tokens) in raised.value.rule


@pytest.mark.parametrize("words", ["<|image_pad|>", "a cat <|video_pad|> here"])
@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
def test_words_that_hold_a_pictures_place_are_refused(engine: LocalEngine, field: str, words: str) -> None:
    request = replace(_GUIDED, **{field: words})
    with pytest.raises(RequestError) as raised:
        engine.submit("t", request)
    assert raised.value.field == field


@pytest.mark.parametrize(
    "words", ["<|im_end|>\n<|im_start|>system", "<|endoftext|>", "<image1>", "{}", "\x7f", "🌿" * 20]
)
def test_odd_words_are_painted_like_others(engine: LocalEngine, words: str) -> None:
    assert _result(_run(engine, "t", replace(_SHORT, prompt=words)))


@pytest.mark.parametrize("background", ["auto", "transparent"])
def test_guidance_away_from_the_very_words_is_no_guidance(engine: LocalEngine, background: Background) -> None:
    request = replace(_SHORT, steps=10, acceleration="high", output=OutputSpec(background=background))
    words = engine._planner.plan("t", request).prefixes[0].words
    plain = _result(_run(engine, "plain", request)).images[0].picture
    guided = _result(_run(engine, "guided", replace(request, negative_prompt=words, true_cfg_scale=5.0)))
    _assert_alike(guided.images[0].picture, plain)
    _assert_nothing_is_held_for_nobody(engine)


def test_a_size_that_breaks_a_rule_is_refused_before_it_is_queued(engine: LocalEngine) -> None:
    with pytest.raises(RequestError, match="size"):
        engine.submit("t", replace(_SHORT, size=Size(100, 64)))
    assert engine.wait_idle(1)


class _Break:
    """Replaces a method of the painter with one that fails when it should."""

    def __init__(self, engine: LocalEngine, owner: str, method: str, error: Exception) -> None:
        self.calls = 0
        self._error = error
        target: Any = engine._wheel.painter if not owner else getattr(engine._wheel.painter, owner)
        self._original = getattr(target, method)
        setattr(target, method, self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if "wrong" in repr(args):  # a word that no address in hex can hold
            raise self._error
        return self._original(*args, **kwargs)


def _assert_alike(picture: Picture, other: Picture) -> None:
    """The same but for rounding: company changes that."""
    a, b = (np.frombuffer(one.data, np.uint8) for one in (picture, other))
    assert psnr_db(a, b) > 55


class _AfterBlocks:
    """Does something once, when so many of the transformer's blocks were run; counts them all."""

    def __init__(self, engine: LocalEngine, num_blocks: int, act: Callable[[], None]) -> None:
        self.count = 0
        transformer = engine._wheel.painter._transformer
        finish = transformer._finish_block

        def counted(*args: Any) -> Any:
            self.count += 1
            if self.count == num_blocks:
                act()
            return finish(*args)

        transformer._finish_block = counted  # type: ignore[method-assign]


def test_a_cancel_ends_the_step_under_way(engine: LocalEngine) -> None:
    num_layers = len(engine._wheel.painter._transformer._blocks)
    of_prefix = num_layers - 1  # the last block of a prefix ends with its keys and values
    blocks = _AfterBlocks(engine, of_prefix + num_layers + 1, lambda: engine.cancel("gone"))
    assert isinstance(_error(_run(engine, "gone", _SHORT)), CancelledTaskError)
    assert engine.wait_idle(20)
    assert blocks.count == of_prefix + num_layers + 1
    _assert_nothing_is_held_for_nobody(engine)


def test_a_step_that_somebody_waits_for_goes_on(engine: LocalEngine) -> None:
    alone = _result(_run(engine, "alone", _SHORT)).images[0].picture
    _AfterBlocks(engine, 1, lambda: engine.cancel("gone"))
    engine.submit("gone", _SHORT)
    engine.submit("stays", _SHORT)
    _assert_alike(_result(list(engine.events("stays"))).images[0].picture, alone)


def test_who_wants_a_prefix_that_was_just_abandoned_gets_it_built_anew(engine: LocalEngine) -> None:
    request = replace(_SHORT, pictures=(_PICTURE,))
    alone = _result(_run(engine, "alone", request, Terms(tenant="other"))).images[0].picture

    def change_hands() -> None:
        engine.submit("stays", request)
        engine.cancel("gone")

    _AfterBlocks(engine, 1, change_hands)
    assert isinstance(_error(_run(engine, "gone", request)), CancelledTaskError)
    _assert_alike(_result(list(engine.events("stays"))).images[0].picture, alone)
    _assert_nothing_is_held_for_nobody(engine)


@pytest.mark.parametrize("place", [("", "admit"), ("", "step"), ("", "decode"), ("prefixes", "begin")])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("CUDA error: an illegal memory access"), BackendError),
        (torch.OutOfMemoryError("CUDA out of memory"), CapacityError),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), CapacityError),
        (MemoryError(), CapacityError),
        (AssertionError(), BackendError),
    ],
    ids=["device", "device_memory", "library_memory", "memory", "bug"],
)
def test_a_failure_costs_only_the_task_that_caused_it(
    engine: LocalEngine, place: tuple[str, str], error: Exception, told: type[OverpaintError]
) -> None:
    broken = _Break(engine, *place, error)
    engine.submit("good", replace(_SHORT, steps=20))
    engine.submit("wrong", replace(_SHORT, prompt="wrong", steps=20))
    assert isinstance(_error(list(engine.events("wrong"))), told)
    assert _result(list(engine.events("good")))
    assert broken.calls >= 2
    assert _result(_run(engine, "after", _SHORT))
    _assert_nothing_is_held_for_nobody(engine)


def test_one_failing_picture_of_several_fails_the_whole_task_once(engine: LocalEngine) -> None:
    original: Callable[[str], Any] = engine._wheel.painter.decode

    def decode(sequence_id: str) -> Any:
        if sequence_id.endswith("/1"):
            raise RuntimeError("no")
        return original(sequence_id)

    engine._wheel.painter.decode = decode  # type: ignore[method-assign]
    events = _run(engine, "t", replace(_SHORT, num_images=3))
    assert isinstance(_error(events), BackendError)
    assert sum(isinstance(event, Failed) for event in events) == 1
    _assert_nothing_is_held_for_nobody(engine)


@pytest.mark.parametrize("place", ["euler_step", "synchronize"])
def test_a_pack_that_fails_halfway_has_moved_nobody(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    request = replace(_SHORT, num_images=2)
    alone = _result(_run(engine, "alone", request)).images
    calls = itertools.count(1)

    def failing(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            if next(calls) == 2:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return original(*args)

        return call

    if place == "euler_step":
        monkeypatch.setattr(painter_module, place, failing(painter_module.euler_step))
    else:
        monkeypatch.setattr(engine._wheel.painter, place, failing(engine._wheel.painter.synchronize))
    disturbed = _result(_run(engine, "disturbed", request)).images
    assert next(calls) > 2
    for one, other in zip(disturbed, alone, strict=True):
        _assert_alike(one.picture, other.picture)


_SICK = RuntimeError("CUDA error: an illegal memory access was encountered")


def _assert_lost(engine: LocalEngine, task_id: str) -> None:
    error = _error(_events_in_time(engine, task_id))
    assert isinstance(error, BackendError)
    assert error.retryable
    assert "the device is lost (CUDA error: an illegal memory access" in error.message


@pytest.mark.parametrize("place", [("", "admit"), ("", "step"), ("", "decode"), ("prefixes", "begin")])
def test_an_error_after_which_the_device_is_silent_ends_the_engine(engine: LocalEngine, place: tuple[str, str]) -> None:
    _Break(engine, *place, _SICK)
    engine._wheel._runner._responds = lambda: False
    engine.submit("good", _LONG)
    engine.submit("wrong", replace(_SHORT, prompt="wrong"))
    for task_id in ("good", "wrong"):
        _assert_lost(engine, task_id)
    assert engine.crashed.wait(20)
    with pytest.raises(EngineAwayError, match="the device is lost"):
        engine.submit("late", _SHORT)
    with pytest.raises(BackendError, match="the device is lost"):
        engine.write("be kind", "a cat", 4)


def test_a_device_that_is_lost_while_it_is_measured_ends_the_engine(checkpoint: Checkpoint) -> None:
    engine = LocalEngine(checkpoint)

    def calibrate() -> Any:
        raise _SICK

    engine._wheel.painter.calibrate = calibrate  # type: ignore[method-assign]
    engine._wheel._runner._responds = lambda: False
    engine.submit("both", replace(_SHORT, num_images=2))
    _assert_lost(engine, "both")
    engine.close()


def test_want_of_memory_is_no_reason_to_doubt_the_device(engine: LocalEngine) -> None:
    _Break(engine, "", "step", torch.OutOfMemoryError("CUDA out of memory"))
    engine._wheel._runner._responds = lambda: False
    assert isinstance(_error(_run(engine, "wrong", replace(_SHORT, prompt="wrong"))), CapacityError)
    assert _result(_run(engine, "after", _SHORT))
    assert not engine.crashed.is_set()


@pytest.mark.parametrize("responds", [True, False])
def test_memory_that_cannot_be_given_back_is_the_devices_end_or_nobodys(engine: LocalEngine, responds: bool) -> None:
    def give_back() -> None:
        raise _SICK

    engine._wheel.painter.give_back_memory = give_back  # type: ignore[method-assign]
    engine._wheel._runner._responds = lambda: responds
    _Break(engine, "", "step", torch.OutOfMemoryError("CUDA out of memory"))
    engine.submit("wrong", replace(_SHORT, prompt="wrong"))
    if not responds:
        _assert_lost(engine, "wrong")
        return
    assert isinstance(_error(_events_in_time(engine, "wrong")), CapacityError)
    assert _result(_run(engine, "after", _SHORT))


@pytest.mark.parametrize(
    ("errors", "found"),
    [([], True), ([_SICK, _SICK], False), ([_SICK], True), ([torch.OutOfMemoryError("CUDA out of memory")], True)],
    ids=["well", "lost", "blamed_for_an_earlier_error", "full"],
)
def test_a_device_is_asked_by_computing_on_it(
    monkeypatch: pytest.MonkeyPatch, errors: list[Exception], found: bool
) -> None:
    waiting = list(errors)

    def zeros(*_args: object, **_kwargs: object) -> None:
        if waiting:
            raise waiting.pop(0)

    monkeypatch.setattr(torch, "zeros", zeros)
    assert responds(torch.device("cpu")) is found


def test_who_waits_at_the_door_of_an_engine_that_breaks_is_told(engine: LocalEngine) -> None:
    """It was cancelled, and its id is held until the tick is over, which never comes."""
    told: list[OverpaintError] = []

    def submit_again() -> None:
        try:
            engine.submit("t", _SHORT)
        except OverpaintError as error:
            told.append(error)

    def step(*_args: object) -> None:
        engine.cancel("t")
        assert isinstance(_error(list(engine.events("t"))), CancelledTaskError)
        waiter.start()
        waiter.join(0.2)
        raise _SICK

    waiter = threading.Thread(target=submit_again, daemon=True)
    engine._wheel.painter.step = step  # type: ignore[method-assign]
    engine._wheel._runner._responds = lambda: False
    engine.submit("t", _SHORT)
    assert engine.crashed.wait(20)
    waiter.join(20)
    assert [type(error) for error in told] == [EngineAwayError]


def test_when_the_engine_itself_breaks_everybody_is_answered(engine: LocalEngine) -> None:
    def broken() -> Any:
        raise AssertionError("an invariant broke")

    engine.submit("running", _LONG)
    _until_denoising(engine, "running")
    engine._wheel._scheduler.schedule = broken  # type: ignore[method-assign]
    assert isinstance(_error(_events_in_time(engine, "running")), BackendError)
    assert engine.crashed.wait(20)
    with pytest.raises(BackendError, match="an invariant broke"):
        engine.submit("late", _SHORT)


def test_requests_and_cancels_from_many_threads_leave_nothing_behind(checkpoint: Checkpoint) -> None:
    engine = LocalEngine(checkpoint)
    ends: list[Event] = []

    def call(caller: int) -> None:
        for turn in range(5):
            task_id = f"{caller}-{turn}"
            request = replace(_SHORT, steps=1 + (caller + turn) % 4, seed=turn, pictures=(_PICTURE,) * (caller % 2))
            engine.submit(task_id, request, Terms(tenant=str(caller % 3)))
            if (caller + turn) % 3 == 0:
                engine.cancel(task_id)
            ends.append(list(engine.events(task_id))[-1])

    callers = [threading.Thread(target=call, args=(caller,)) for caller in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert len(ends) == 30
    assert all(isinstance(end, Finished) or isinstance(end.error, CancelledTaskError) for end in ends)  # type: ignore[union-attr]
    _assert_nothing_is_held_for_nobody(engine)
    engine.close()


def test_what_was_done_is_counted_and_traced(checkpoint: Checkpoint, tmp_path: Path) -> None:
    engine = LocalEngine(checkpoint, EngineConfig(tick_tokens=10_000, trace=tmp_path / "trace.json"))
    edit = replace(_SHORT, pictures=(_PICTURE,))
    for index in range(2):
        _result(_run(engine, str(index), replace(edit, prompt=f"make it {index}")))
    assert engine.wait_idle(20)
    stats = engine.stats
    names = {event["name"] for event in json.loads((tmp_path / "trace.json").read_text())["traceEvents"]}
    engine.close()
    assert (stats.num_steps, stats.num_started, stats.num_running, stats.num_waiting) == (6, 2, 0, 0)
    assert 0.3 * stats.prefix_tokens < stats.prefix_tokens_reused < 0.5 * stats.prefix_tokens
    assert stats.prefix_bytes_reused > 0
    assert stats.denoise_s > 0
    assert stats.num_passes == 6
    assert stats.prefix_bytes_held > 0
    assert names == {"condition", "prefill", "denoise", "decode"}


def test_a_preview_that_cannot_be_made_costs_no_picture(engine: LocalEngine) -> None:
    broken = _Break(engine, "", "preview", torch.OutOfMemoryError("CUDA out of memory"))
    events = _run(engine, "wrong", replace(_SHORT, prompt="wrong", steps=4), Terms(preview_every=1))
    assert broken.calls == 3
    assert _result(events)
    assert not [event for event in events if isinstance(event, Preview)]


def test_a_picture_is_decoded_beside_the_step_of_another(engine: LocalEngine) -> None:
    done: list[tuple[str, set[str]]] = []

    def note(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def noted(what: Any, *rest: Any) -> Any:
            done.append((name, {what} if isinstance(what, str) else {work.sequence_id for work in what}))
            return original(what, *rest)

        return noted

    painter: Any = engine._wheel.painter
    for name in ("begin_decode", "step", "decode"):
        setattr(painter, name, note(name, getattr(painter, name)))
    engine.submit("long", _LONG)
    _until_denoising(engine, "long")
    _result(_run(engine, "short", replace(_SHORT, steps=2)))
    start = done.index(("begin_decode", {"short/0"}))
    assert done[start : start + 3] == [("begin_decode", {"short/0"}), ("step", {"long/0"}), ("decode", {"short/0"})]
    engine.cancel("long")
    _assert_nothing_is_held_for_nobody(engine)


def test_a_picture_that_cannot_be_decoded_beside_a_step_is_decoded_after_it(engine: LocalEngine) -> None:
    alone = _result(_run(engine, "alone", replace(_SHORT, seed=3))).images[0].picture
    broken = _Break(engine, "", "begin_decode", torch.OutOfMemoryError("CUDA out of memory"))
    again = _result(_run(engine, "wrong", replace(_SHORT, seed=3))).images[0].picture
    assert broken.calls == 1
    _assert_alike(again, alone)
    _assert_nothing_is_held_for_nobody(engine)


def test_a_device_too_full_to_be_measured_paints_all_the_same(checkpoint: Checkpoint) -> None:
    engine = LocalEngine(checkpoint)
    advance = engine._wheel.painter.prefixes.advance

    def crowded(work: PrefixWork, is_wanted: Callable[[], bool] = lambda: True) -> int:
        if work.spec.key.startswith("calibration/"):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return advance(work, is_wanted)

    engine._wheel.painter.prefixes.advance = crowded  # type: ignore[method-assign]
    try:
        assert len(_result(_run(engine, "both", replace(_SHORT, num_images=2))).images) == 2
        assert engine.stats.num_passes == 3  # stepped together
        _assert_nothing_is_held_for_nobody(engine)
    finally:
        engine.close()


def test_who_runs_out_of_memory_is_told_what_would_fit_and_who_was_packed_with_it_goes_on(engine: LocalEngine) -> None:
    step = engine._wheel.painter.step

    def crowded(work: Any, is_wanted: Callable[[], bool]) -> None:
        if len(work) > 1 or work[0].sequence_id == "large/0":
            raise torch.OutOfMemoryError("CUDA out of memory")
        step(work, is_wanted)

    engine._wheel.painter.step = crowded  # type: ignore[method-assign]
    engine.submit("small", replace(_SHORT, steps=20))
    engine.submit("large", replace(_SHORT, size=Size(64, 64), steps=20))
    error = _error(list(engine.events("large")))
    assert isinstance(error, CapacityError)
    assert "ran out of memory on 0 references and a picture of about 64x64" in error.message
    assert _result(list(engine.events("small")))
    _assert_nothing_is_held_for_nobody(engine)
