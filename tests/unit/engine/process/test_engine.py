"""A real child process around the engine that paints flat colours, killed in every way."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.context import SpawnProcess

import psutil
import pytest

from overpaint.api.log import JsonFormatter
from overpaint.core.errors import BackendError, CancelledTaskError, CheckpointError, RequestError, TaskError
from overpaint.core.events import Failed, Finished, Progress
from overpaint.core.picture import Picture
from overpaint.core.ports import WritingEngine
from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import Size
from overpaint.engine.null import NULL_INFO, NullEngine
from overpaint.engine.process.engine import ProcessEngine
from tests.unit.engine.process.openers import (
    FLOOD,
    open_broken,
    open_busily,
    open_clumsy,
    open_counting,
    open_dying,
    open_dying_writer,
    open_hanging,
    open_in_circles,
    open_never,
    open_nothing,
    open_null,
    open_painting_nothing,
    open_talkative,
    wait_for_steps,
)

LOAD_S = 60
Start = Callable[..., ProcessEngine]
Heard = Callable[[str], list[logging.LogRecord]]


@pytest.fixture
def start() -> Iterator[Start]:
    engines: list[ProcessEngine] = []

    def make(opener: Callable[[], object] = open_null, *, is_waited: bool = True) -> ProcessEngine:
        engine = ProcessEngine(opener)  # pyright: ignore[reportArgumentType]
        engines.append(engine)
        if is_waited:
            assert engine.wait_loaded(LOAD_S), engine.load_error
        return engine

    yield make
    for engine in engines:
        engine.close()


def request(prompt: str = "a cat", steps: int = 4) -> GenerationRequest:
    return GenerationRequest(prompt=prompt, size=Size(64, 64), steps=steps, seed=1)


def test_paints_the_same_as_the_engine_inside_would(start: Start) -> None:
    engine = start()
    engine.submit("t", request())
    events = list(engine.events("t"))
    assert engine.info == NULL_INFO
    assert isinstance(events[-1], Finished)
    alone = NullEngine()
    alone.submit("t", request())
    expected = list(alone.events("t"))[-1]
    assert isinstance(expected, Finished)
    assert events[-1].result.images == expected.result.images
    assert [event.step for event in events if isinstance(event, Progress) and event.stage == "denoise"] == [1, 2, 3, 4]


def test_what_the_engine_counts_comes_across(start: Start) -> None:
    engine = start(open_counting)
    assert wait_for_steps(engine, 7) == 7


def test_pictures_of_many_megabytes_cross(start: Start) -> None:
    engine = start()
    picture = Picture(2000, 1500, "RGB", bytes(2000 * 1500 * 3))
    engine.submit("t", GenerationRequest(prompt="p", pictures=(picture,) * 3, size=Size(64, 64)))
    assert isinstance(list(engine.events("t"))[-1], Finished)


def test_a_refused_task_raises_where_it_was_submitted(start: Start) -> None:
    engine = start()
    with pytest.raises(RequestError, match="512"):
        engine.submit("t", request("word " * 600))
    engine.submit("t", request())
    with pytest.raises(TaskError):
        engine.submit("t", request())
    assert isinstance(list(engine.events("t"))[-1], Finished)


def test_a_task_that_ended_may_be_given_again(start: Start) -> None:
    engine = start()
    for _ in range(2):
        engine.submit("t", request())
        assert isinstance(list(engine.events("t"))[-1], Finished)


def test_cancel_ends_a_task_within_a_step(start: Start) -> None:
    engine = start(partial(open_null, 0.1))
    engine.submit("t", request(steps=200))
    events = engine.events("t")
    next(events)
    engine.cancel("t")
    last = list(events)[-1]
    assert isinstance(last, Failed), "long before its twenty seconds are over"
    assert isinstance(last.error, CancelledTaskError)
    engine.cancel("never heard of")


def test_kill_9_fails_open_tasks_with_a_retryable_error(start: Start) -> None:
    engine = start(partial(open_null, 0.1))
    for task_id in ("a", "b"):
        engine.submit(task_id, request(steps=100))
    events = engine.events("a")
    next(events)
    assert engine.pid
    os.kill(engine.pid, signal.SIGKILL)
    for stream in (events, engine.events("b")):
        last = list(stream)[-1]
        assert isinstance(last, Failed)
        assert isinstance(last.error, BackendError)
        assert last.error.retryable
        assert "signal 9" in last.error.message
    assert not engine.is_loaded
    with pytest.raises(BackendError):
        engine.submit("c", request())


def test_its_end_is_told_while_a_text_that_came_is_still_being_fetched() -> None:
    ended = threading.Event()
    engine = ProcessEngine(open_null, ended.set)
    assert engine.wait_loaded(LOAD_S)

    def come_and_end() -> None:
        engine._texts.give(0, "a cat")
        os.kill(engine.pid or 0, signal.SIGKILL)
        assert ended.wait(10)

    assert engine._texts.ask(0, come_and_end) == "a cat"
    engine.close()


def test_a_child_that_ends_as_it_is_told_is_not_called_stuck(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """Two threads once waited for its end, and of every two or three ends one was missed by the one that told."""
    for _ in range(6):
        start().close()
    assert not [line for line in caplog.messages if "does not end" in line]


def test_a_child_that_owes_a_picture_and_says_nothing_is_killed() -> None:
    ended = threading.Event()
    engine = ProcessEngine(open_hanging, ended.set, stall_s=1.5)
    assert engine.wait_loaded(LOAD_S)
    assert not ended.wait(3)  # it owes nothing: silence is peace
    engine.submit("t", request())
    (event,) = engine.events("t")
    assert isinstance(event, Failed)
    assert event.error.retryable
    assert "killed by signal 9" in event.error.message
    assert ended.wait(10)
    engine.close()


@pytest.mark.parametrize("opener", [open_never, open_in_circles])
def test_a_child_that_hangs_while_it_loads_is_killed(opener: Callable[[], WritingEngine]) -> None:
    ended = threading.Event()
    engine = ProcessEngine(opener, ended.set, stall_s=1.5)
    assert not engine.wait_loaded(LOAD_S)
    assert "killed by signal 9" in str(engine.load_error)
    assert ended.wait(10)
    engine.close()


def test_a_child_that_loads_for_long_is_waited_for() -> None:
    engine = ProcessEngine(open_busily, stall_s=1.5)
    assert engine.wait_loaded(LOAD_S)
    engine.close()


def test_a_child_that_is_not_understood_any_more_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(_self: object, message: object) -> None:
        raise TypeError(message)

    ended = threading.Event()
    engine = ProcessEngine(open_null, ended.set)
    assert engine.wait_loaded(LOAD_S)
    child = psutil.Process(engine.pid)
    monkeypatch.setattr(ProcessEngine, "_sort", break_down)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    with pytest.raises(BackendError):
        engine.submit("t", request())
    assert ended.wait(10)
    assert not child.is_running()
    engine.close()


def test_an_engine_that_cannot_load_says_why(start: Start) -> None:
    engine = start(open_nothing, is_waited=False)
    assert not engine.wait_loaded(LOAD_S)
    assert isinstance(engine.load_error, CheckpointError)
    with pytest.raises(CheckpointError, match="nowhere"):
        _ = engine.info


def test_a_checkpoint_that_paints_no_numbers_is_at_fault(start: Start) -> None:
    """A server whose first pictures are none ends: loading tens of gigabytes again would not mend them."""
    engine = start(open_painting_nothing, is_waited=False)
    assert not engine.wait_loaded(LOAD_S)
    assert isinstance(engine.load_error, CheckpointError)
    assert "cannot be painted with: What was painted are no numbers" in str(engine.load_error)


def test_a_bug_at_start_is_told_too(start: Start) -> None:
    engine = start(open_broken, is_waited=False)
    assert not engine.wait_loaded(LOAD_S)
    assert isinstance(engine.load_error, BackendError)
    assert "a bug at start" in engine.load_error.message


def test_a_bug_costs_its_own_task_only(start: Start) -> None:
    engine = start(open_clumsy)
    with pytest.raises(BackendError, match="a bug"):
        engine.submit("a", request("bug in submit"))
    engine.submit("b", request("bug in events"))
    last = list(engine.events("b"))[-1]
    assert isinstance(last, Failed)
    assert "another bug" in last.error.message
    engine.submit("c", request())
    assert isinstance(list(engine.events("c"))[-1], Finished)


def test_close_fails_what_is_left_and_is_quick(start: Start) -> None:
    engine = start(partial(open_null, 0.05))
    engine.submit("a", request(steps=200))
    events = engine.events("a")
    next(events)
    began_s = time.monotonic()
    engine.close()
    engine.close()
    assert time.monotonic() - began_s < 5
    last = list(events)[-1]
    assert isinstance(last, Failed)
    assert isinstance(last.error, BackendError)


def test_closing_while_it_loads_does_not_wait_for_the_load(start: Start) -> None:
    engine = start(partial(open_null, 30.0), is_waited=False)  # its warm-up takes a minute
    began_s = time.monotonic()
    engine.close()
    assert time.monotonic() - began_s < 30
    assert not engine.wait_loaded(1)


def test_the_child_goes_when_its_parent_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-m", "tests.unit.engine.process.parent"], stdout=subprocess.PIPE)
    assert parent.stdout
    child_pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline_s = time.monotonic() + 20
    while psutil.pid_exists(child_pid) and psutil.Process(child_pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline_s, "the engine outlived its parent"
        time.sleep(0.05)


def test_a_terminals_ctrl_c_does_not_end_the_child(start: Start) -> None:
    engine = start()
    assert engine.pid
    os.kill(engine.pid, signal.SIGINT)
    engine.submit("t", request())
    assert isinstance(list(engine.events("t"))[-1], Finished)


def test_a_text_comes_back_and_so_does_why_there_is_none(start: Start) -> None:
    engine = start()
    assert engine.write("be kind", "a cat", 16) == "a cat, in one flat colour"
    engine.close()
    with pytest.raises(BackendError, match="not running"):
        engine.write("be kind", "a cat", 16)


def test_who_waits_for_a_text_hears_of_the_end(start: Start) -> None:
    engine = start(open_dying_writer)
    with pytest.raises(BackendError, match="signal 9"):
        engine.write("be kind", "a cat", 16)


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Heard:
    """Waits until this process has logged a message, and gives all records up to then."""
    caplog.set_level(logging.INFO)

    def wait(message: str) -> list[logging.LogRecord]:
        deadline_s = time.monotonic() + 30
        while not any(message in record.getMessage() for record in caplog.records):
            assert time.monotonic() < deadline_s, [record.getMessage() for record in caplog.records]
            time.sleep(0.02)
        return list(caplog.records)

    return wait


def test_what_the_child_logs_is_in_the_parents_log(start: Start, heard: Heard) -> None:
    engine = start(open_talkative)
    engine.submit("t", request("my secret words"))
    records = {record.getMessage(): record for record in heard("task t went wrong")}
    wrong = records["task t went wrong"]
    assert (wrong.name, wrong.levelname) == ("overpaint.engine.talkative", "ERROR")
    line = json.loads(JsonFormatter().format(wrong))
    assert "ValueError: a bug" in line["traceback"]
    assert "secret words" not in json.dumps(line)
    assert {"null is warm", "a library's warning"} <= records.keys()
    assert "a library's chatter" not in records


def test_a_flood_of_lines_is_counted_and_holds_nobody_up(start: Start, heard: Heard) -> None:
    engine = start(open_talkative)
    engine.submit("t", request("flood"))
    assert isinstance(list(engine.events("t"))[-1], Finished)
    told = [record for record in heard("were dropped") if record.name == "overpaint.engine.talkative"]
    assert len(told) < FLOOD / 10


def test_the_last_words_of_a_child_that_cannot_load_are_heard(start: Start, heard: Heard) -> None:
    engine = start(open_dying, is_waited=False)
    assert not engine.wait_loaded(LOAD_S)
    assert heard("this will not end well")


def test_a_child_that_cannot_be_started_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(process: object) -> None:
        raise OSError(12, f"Cannot allocate memory for {process}")

    monkeypatch.setattr(SpawnProcess, "start", refuse)
    num_open = psutil.Process().num_fds()
    with pytest.raises(OSError, match="Cannot allocate") as refusal:
        ProcessEngine(open_null)
    assert psutil.Process().num_fds() == num_open
    del refusal  # with the half-made engine in its traceback


def test_a_child_that_nobody_can_listen_to_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    start_thread, start_child = threading.Thread.start, SpawnProcess.start
    children: list[SpawnProcess] = []

    def note(child: SpawnProcess) -> None:
        start_child(child)
        children.append(child)

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "overpaint-engine-reader":
            raise RuntimeError("can't start new thread")
        start_thread(thread)

    monkeypatch.setattr(SpawnProcess, "start", note)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="new thread") as refusal:
        ProcessEngine(open_null)
    [child] = children
    child.join(LOAD_S)
    assert child.exitcode == -signal.SIGKILL
    del refusal
