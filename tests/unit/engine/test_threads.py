"""A thread that passes gives back what it found and is gone."""

import threading

import pytest

from overpaint.engine.threads import in_passing_thread


def test_a_result_comes_from_another_thread_that_has_ended() -> None:
    thread = in_passing_thread(threading.current_thread)
    assert thread is not threading.current_thread()
    assert not thread.is_alive()


def test_an_error_is_raised_where_it_was_asked_for() -> None:
    def fail() -> None:
        raise LookupError("not here")

    with pytest.raises(LookupError, match="not here"):
        in_passing_thread(fail)
