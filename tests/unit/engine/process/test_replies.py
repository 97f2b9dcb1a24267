"""Questions and their answers, without a process."""

import pytest

from overpaint.core.errors import BackendError, RequestError
from overpaint.engine.process import replies as replies_module
from overpaint.engine.process.replies import Replies


def test_an_answer_reaches_who_asked_and_an_error_is_raised_there() -> None:
    replies = Replies[str, int]()
    assert replies.ask("a", lambda: replies.give("a", 7)) == 7
    with pytest.raises(RequestError, match="steps"):
        replies.ask("a", lambda: replies.give("a", RequestError("steps", 0, "must be 1..200")))


def test_an_answer_that_came_stays_when_the_rest_fails() -> None:
    """The end of a child once waited for ever for a text that was being fetched."""
    replies = Replies[str, str]()

    def end() -> None:
        replies.give("text", "a cat")
        replies.fail_all(BackendError("gone"))

    assert replies.ask("text", end) == "a cat"
    with pytest.raises(BackendError, match="gone"):
        replies.ask("other", lambda: replies.fail_all(BackendError("gone")))


def test_no_answer_in_time_is_an_error_and_one_too_late_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies_module, "ANSWER_S", 0.01)
    replies, given_up = Replies[str, int](), list[str]()
    with pytest.raises(BackendError, match="does not answer") as caught:
        replies.ask("a", lambda: None, give_up=lambda: given_up.append("a"))
    assert caught.value.retryable
    assert given_up == ["a"]
    replies.give("a", 7)
    assert replies.ask("b", lambda: replies.give("b", 7), give_up=lambda: given_up.append("b")) == 7
    assert given_up == ["a"]


def test_a_question_that_cannot_be_sent_is_not_waited_for() -> None:
    replies = Replies[str, int]()

    def send() -> None:
        raise BackendError("the engine is gone")

    with pytest.raises(BackendError, match="is gone"):
        replies.ask("a", send)
