"""Lives and deaths of engines, mostly with engines that are no processes at all, once with real ones."""

import os
import queue
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from overpaint.core.engine_stats import EngineStats
from overpaint.core.errors import BackendError, CheckpointError, OverpaintError
from overpaint.core.events import Event, Failed, Finished
from overpaint.core.model_info import ModelInfo
from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import Size
from overpaint.core.terms import DEFAULT_TERMS, Terms
from overpaint.engine.null import NULL_INFO
from overpaint.engine.process.engine import ProcessEngine
from overpaint.engine.process.mailboxes import Mailboxes
from overpaint.engine.process.supervisor import RestartPolicy, Supervisor
from tests.unit.engine.process.openers import open_null

QUICK = RestartPolicy(first_s=0.01, max_s=0.05)


class FakeChild:
    """A child whose life the test decides."""

    def __init__(self, on_end: Callable[[], None], error: OverpaintError | None = None) -> None:
        self._on_end = on_end
        self._boxes = Mailboxes()
        self.load_error = error
        self.is_loaded = error is None
        self.pid = 1
        if error:
            on_end()

    @property
    def info(self) -> ModelInfo:
        return NULL_INFO

    @property
    def stats(self) -> EngineStats:
        return EngineStats(num_ticks=3)

    def wait_loaded(self, timeout_s: float | None = None) -> bool:  # noqa: ARG002
        return self.is_loaded

    def submit(self, task_id: str, request: GenerationRequest, terms: Terms = DEFAULT_TERMS) -> None:  # noqa: ARG002
        self._boxes.open(task_id, 0)

    def events(self, task_id: str) -> Iterator[Event]:
        return self._boxes.listen(task_id)

    def write(self, instructions: str, words: str, max_tokens: int) -> str:  # noqa: ARG002
        return words

    def cancel(self, task_id: str) -> None:
        self._boxes.forget(task_id)

    def die(self) -> None:
        self.is_loaded = False
        self._boxes.fail_all(BackendError("it died"))
        self._on_end()

    def close(self) -> None:
        self.die()


class Nursery:
    """Starts fake children and remembers them."""

    def __init__(self, errors: list[OverpaintError | None] | None = None) -> None:
        self.children: list[FakeChild] = []
        self._errors = errors or []

    def start(self, on_end: Callable[[], None]) -> FakeChild:
        error = self._errors.pop(0) if self._errors else None
        self.children.append(FakeChild(on_end, error))
        return self.children[-1]


def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it does not come about"
        time.sleep(0.005)


def request(steps: int = 2) -> GenerationRequest:
    return GenerationRequest(prompt="p", size=Size(64, 64), steps=steps)


@pytest.fixture
def supervise() -> Iterator[Callable[..., Supervisor]]:
    made: list[Supervisor] = []

    def make(start: Callable[[Callable[[], None]], FakeChild | ProcessEngine]) -> Supervisor:
        made.append(Supervisor(start, QUICK))
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.close()


def test_pauses_grow_up_to_the_longest() -> None:
    policy = RestartPolicy(first_s=1, factor=2, max_s=5)
    assert [policy.pause_s(deaths) for deaths in range(1, 6)] == [1, 2, 4, 5, 5]


def test_a_dead_child_is_followed_by_another(supervise: Callable[..., Supervisor]) -> None:
    nursery = Nursery()
    supervisor = supervise(nursery.start)
    until(lambda: supervisor.is_ready)
    supervisor.submit("t", request())
    events = supervisor.events("t")
    nursery.children[0].die()
    last = list(events)[-1]
    assert isinstance(last, Failed)
    assert last.error.retryable
    until(lambda: supervisor.is_ready)
    assert supervisor.num_restarts == 1
    supervisor.submit("t", request())  # the same task, in the next life


def test_between_two_lives_it_knows_its_checkpoint_but_takes_nothing(supervise: Callable[..., Supervisor]) -> None:
    nursery = Nursery([None, CheckpointError("/x", "is gone")])
    supervisor = supervise(nursery.start)
    until(lambda: supervisor.is_ready)
    nursery.children[0].is_loaded = False
    assert supervisor.info == NULL_INFO
    assert supervisor.problem
    with pytest.raises(BackendError):
        supervisor.submit("t", request())
    nursery.children[0].is_loaded = True


def test_a_bad_checkpoint_is_told_to_whoever_waits_for_the_start(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise(Nursery([*(CheckpointError("/x", "is gone") for _ in range(100))]).start)
    with pytest.raises(CheckpointError, match="is gone"):
        supervisor.wait_ready(10)
    with pytest.raises(BackendError):
        _ = supervisor.info


def test_whoever_asked_hears_of_every_change(supervise: Callable[..., Supervisor]) -> None:
    nursery, heard = Nursery(), queue.SimpleQueue[bool]()
    supervisor = supervise(nursery.start)
    assert supervisor.wait_ready(10)
    supervisor.on_change(lambda: heard.put(supervisor.is_ready))
    assert heard.get(timeout=10)
    assert supervisor.problem is None
    nursery.children[-1].die()
    changes = [heard.get(timeout=10), heard.get(timeout=10)]
    assert changes == [False, True], "it is gone, and another one is there"


def test_a_real_engine_comes_back_after_kill_9(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise(partial(ProcessEngine, partial(open_null, 0.02)))
    assert supervisor.wait_ready(60)
    first_pid = supervisor.pid
    supervisor.submit("t", request(steps=200))
    events = supervisor.events("t")
    next(events)
    assert first_pid
    os.kill(first_pid, signal.SIGKILL)
    assert isinstance(list(events)[-1], Failed)
    until(lambda: supervisor.is_ready, 60)
    assert supervisor.pid != first_pid
    supervisor.submit("t", request())
    assert isinstance(list(supervisor.events("t"))[-1], Finished)


def test_a_start_that_fails_is_tried_again(supervise: Callable[..., Supervisor]) -> None:
    nursery, shortages = Nursery(), [OSError(24, "Too many open files"), MemoryError()]

    def start(on_end: Callable[[], None]) -> FakeChild:
        if shortages:
            raise shortages.pop()
        return nursery.start(on_end)

    supervisor = supervise(start)
    assert supervisor.wait_ready(10), "the very first one failed"
    shortages.append(OSError(12, "Cannot allocate memory"))
    nursery.children[0].die()
    until(lambda: supervisor.is_ready)
    assert (supervisor.num_restarts, shortages) == (1, [])


def test_a_child_that_cannot_be_followed_ends_before_the_next_one_starts(supervise: Callable[..., Supervisor]) -> None:
    nursery, listener = Nursery(), queue.SimpleQueue[Exception]()

    def tell() -> None:
        if not listener.empty():
            raise listener.get()

    supervisor = supervise(nursery.start)
    assert supervisor.wait_ready(10)
    supervisor.on_change(tell)
    listener.put(RuntimeError("the loop is closed"))
    listener.put(RuntimeError("the loop is closed"))
    nursery.children[0].die()
    until(lambda: len(nursery.children) == 3)
    assert not nursery.children[1].is_loaded, "two never share the device"
    until(lambda: supervisor.is_ready)


def test_counters_are_those_of_the_present_engine(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise(Nursery().start)
    until(lambda: supervisor.is_ready)
    assert supervisor.stats.num_ticks == 3


def test_close_ends_the_lives_for_good() -> None:
    nursery = Nursery()
    supervisor = Supervisor(nursery.start, QUICK)
    until(lambda: supervisor.is_ready)
    supervisor.close()
    assert not supervisor.is_ready
    assert len(nursery.children) == 1
