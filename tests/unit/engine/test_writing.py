"""Texts beside pictures: none waits for the other, and whoever waits for a text always hears of its end."""

import threading

import pytest

from overpaint.core.config import EngineConfig
from overpaint.core.errors import BackendError
from overpaint.core.events import Finished
from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import Size
from overpaint.engine.local import LocalEngine
from overpaint.engine.writing import LONGEST_S, Text, Writing
from overpaint.model.checkpoint import Checkpoint


def letters(text: str) -> Text:
    for _ in text:
        yield
    return text


def broken() -> Text:
    yield
    raise RuntimeError("a bug")


def test_texts_end_in_order_a_token_at_a_time() -> None:
    writing = Writing()
    first, second = writing.add(lambda: letters("ab")), writing.add(lambda: letters("c"))
    num_steps = 0
    while writing.has_work:
        writing.step()
        num_steps += 1
    assert (first.result(0), second.result(0), num_steps) == ("ab", "c", 5)


def test_a_bug_costs_its_own_text_only() -> None:
    writing = Writing()
    bad, good = writing.add(broken), writing.add(lambda: letters("x"))
    while writing.has_work:
        writing.step()
    with pytest.raises(BackendError, match="a bug"):
        bad.result(0)
    assert good.result(0) == "x"


def test_texts_that_take_too_long_make_way_for_the_next_one() -> None:
    now_s = 0.0
    writing = Writing(lambda: now_s)
    late, later = (writing.add(lambda: letters("x" * 100)) for _ in range(2))
    writing.step()
    now_s = LONGEST_S + 1
    new = writing.add(lambda: letters("new"))
    for _ in range(6):
        writing.step()
    assert not writing.has_work
    assert new.result(0) == "new"
    for future in (late, later):
        with pytest.raises(BackendError, match="within 60 s"):
            future.result(0)


def test_an_engine_writes_while_it_paints(checkpoint: Checkpoint) -> None:
    engine = LocalEngine(checkpoint, EngineConfig())
    try:
        alone = engine.write("be kind", "a cat", 8)
        engine.submit("t", GenerationRequest("a cat", size=Size(64, 64), steps=4, seed=1))
        assert engine.write("be kind", "a cat", 8) == alone
        assert isinstance(list(engine.events("t"))[-1], Finished)
        engine.check_integrity()
    finally:
        engine.close()
    with pytest.raises(BackendError, match="closed"):
        engine.write("be kind", "a cat", 8)


def test_closing_ends_a_text_that_is_waited_for(checkpoint: Checkpoint) -> None:
    engine = LocalEngine(checkpoint, EngineConfig())
    said: list[object] = []

    def ask() -> None:
        try:
            said.append(engine.write("be kind", "a cat", 3000))
        except BackendError as error:
            said.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    while not engine._writing.has_work:
        threading.Event().wait(0.01)
    engine.close()
    asking.join(10)
    assert isinstance(said[0], BackendError)
