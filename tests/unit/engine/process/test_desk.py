"""What the child does while its engine is slow, faulty or at its end."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from overpaint.core.errors import BackendError, CancelledTaskError
from overpaint.core.events import Event, Failed, Finished, Progress
from overpaint.core.ports import WritingEngine
from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import Size
from overpaint.core.terms import DEFAULT_TERMS
from overpaint.engine.process import child, replies
from overpaint.engine.process.engine import ProcessEngine
from overpaint.engine.process.mailboxes import Mailboxes
from overpaint.engine.process.messages import Accepted, Submit, Told
from overpaint.engine.process.submit_run import SubmitRun
from overpaint.engine.process.supervisor import RestartPolicy, Supervisor
from tests.unit.engine.process.openers import open_clumsy, open_crashing, open_miscounting, open_slow, wait_for_steps

LOAD_S = 60
Start = Callable[[Callable[[], WritingEngine]], ProcessEngine]


@pytest.fixture
def start() -> Iterator[Start]:
    engines: list[ProcessEngine] = []

    def make(opener: Callable[[], WritingEngine]) -> ProcessEngine:
        engines.append(ProcessEngine(opener))
        assert engines[-1].wait_loaded(LOAD_S), engines[-1].load_error
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


def request(prompt: str = "a cat", steps: int = 4) -> GenerationRequest:
    return GenerationRequest(prompt=prompt, size=Size(64, 64), steps=steps, seed=1)


def error_of(events: Iterator[Event]) -> BaseException:
    last = list(events)[-1]
    assert isinstance(last, Failed), last
    return last.error


def test_a_slow_submit_holds_up_neither_cancels_nor_submits(start: Start) -> None:
    engine = start(open_slow)
    engine.submit("goes", request(steps=200))
    events = engine.events("goes")
    next(events)
    slow = threading.Thread(target=engine.submit, args=("slow", request("slow")))
    slow.start()
    engine.cancel("goes")
    engine.submit("quick", request())
    assert isinstance(list(engine.events("quick"))[-1], Finished)
    assert isinstance(error_of(events), CancelledTaskError)
    assert slow.is_alive()
    slow.join(LOAD_S)
    assert isinstance(list(engine.events("slow"))[-1], Finished)


def test_a_cancel_that_overtakes_a_slow_submit_ends_it(start: Start) -> None:
    engine = start(open_slow)
    slow = threading.Thread(target=engine.submit, args=("slow", request("slow", steps=200)))
    slow.start()
    _wait_open(engine, "slow")
    engine.cancel("slow")
    slow.join(LOAD_S)
    assert isinstance(error_of(engine.events("slow")), CancelledTaskError)


def test_a_submit_that_is_cancelled_before_its_turn_is_refused(start: Start) -> None:
    engine = start(open_slow)
    with ThreadPoolExecutor(child.SUBMITS_AT_ONCE + 1) as threads:
        for number in range(child.SUBMITS_AT_ONCE):
            threads.submit(engine.submit, f"slow {number}", request("slow", steps=1))
            _wait_open(engine, f"slow {number}")
        late = threads.submit(engine.submit, "late", request())
        _wait_open(engine, "late")
        engine.cancel("late")
        with pytest.raises(CancelledTaskError):
            late.result(LOAD_S)


def _wait_open(engine: ProcessEngine, task_id: str) -> None:
    """Wait until a task's submit has been sent."""
    while task_id not in engine._boxes.open_tasks:
        time.sleep(0.01)
    time.sleep(0.05)


def test_a_submit_that_took_too_long_is_cancelled_and_may_be_repeated(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be painted for nobody, and be in the way of its own repetition."""
    engine = start(open_slow)
    with monkeypatch.context() as patch:
        patch.setattr(replies, "ANSWER_S", 0.2)
        with pytest.raises(BackendError, match="does not answer") as refusal:
            engine.submit("t", request("slow", steps=200))
    assert refusal.value.retryable
    engine.submit("t", request("slow", steps=3))
    events = list(engine.events("t"))
    assert isinstance(events[-1], Finished)
    assert {event.num_steps for event in events if isinstance(event, Progress)} == {3}, "news of the first run"


def test_news_of_an_earlier_run_is_dropped() -> None:
    boxes = Mailboxes()
    boxes.open("t", run=1)
    boxes.forget("t")
    boxes.open("t", run=2)
    boxes.put(Failed("t", CancelledTaskError()), run=1)
    boxes.put(Progress("t", "queued", 0, 4), run=2)
    boxes.fail_all(BackendError("gone"))
    assert [type(event) for event in boxes.listen("t")] == [Progress, Failed]


def test_a_bug_in_a_cancel_costs_nobody_else_a_picture(start: Start) -> None:
    engine = start(partial(open_clumsy, 0.05))
    engine.submit("wrong", request("bug in cancel", steps=10))
    engine.cancel("wrong")
    engine.submit("t", request())
    assert isinstance(list(engine.events("t"))[-1], Finished)
    assert isinstance(list(engine.events("wrong"))[-1], Finished)


def test_a_bug_in_a_cancel_that_comes_as_the_task_is_taken_costs_no_picture_either() -> None:
    """The caller hears that a task is taken a moment before the child may cancel it by itself."""
    told: list[object] = []
    begun = threading.Event()

    def send(message: object) -> None:
        told.append(message)
        if isinstance(message, Accepted):
            assert begun.wait(LOAD_S)
            run.cancel()

    channel: Any = SimpleNamespace(send=send)
    order = Submit(7, "wrong", request("bug in cancel"), DEFAULT_TERMS)
    run = SubmitRun(order, open_clumsy(), channel, threading.Semaphore(1), [])
    begun.set()
    run.thread.join(LOAD_S)
    last = told[-1]
    assert isinstance(last, Told)
    assert isinstance(last.event, Finished)


def test_a_bug_in_counting_does_not_end_the_count(start: Start) -> None:
    engine = start(open_miscounting)
    assert wait_for_steps(engine, 7) == 7


def test_a_child_whose_engine_has_crashed_tells_everybody_and_goes(start: Start) -> None:
    engine = start(open_crashing)
    for task_id in ("a", "b"):
        engine.submit(task_id, request(steps=200))
    engine.submit("crash", request("crash"))
    for task_id in ("a", "b", "crash"):
        error = error_of(engine.events(task_id))
        assert isinstance(error, BackendError)
        assert error.message == "the engine stopped"
    assert engine._gone.wait(10)
    assert engine._process.exitcode == child.CRASHED
    assert not engine.is_loaded


def test_an_engine_that_has_crashed_is_followed_by_another() -> None:
    supervisor = Supervisor(lambda on_end: ProcessEngine(open_crashing, on_end), RestartPolicy(first_s=0.01))
    try:
        assert supervisor.wait_ready(LOAD_S)
        first_pid = supervisor.pid
        supervisor.submit("t", request("crash"))
        assert isinstance(error_of(supervisor.events("t")), BackendError)
        deadline_s = time.monotonic() + LOAD_S
        while supervisor.pid == first_pid or not supervisor.is_ready:
            assert time.monotonic() < deadline_s, "it stays as it is"
            time.sleep(0.01)
        supervisor.submit("t", request())
        assert isinstance(list(supervisor.events("t"))[-1], Finished)
    finally:
        supervisor.close()
