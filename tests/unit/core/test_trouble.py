"""Failures that repeat are told of when they begin, now and then, and when they are over."""

import logging

import pytest

from overpaint.core.trouble import QUIET_S, SUMMARY_S, Trouble


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def trouble(now: list[float]) -> Trouble:
    return Trouble("database", logging.getLogger("test"), lambda: now[0])


def test_an_outage_is_a_few_lines(trouble: Trouble, now: list[float], caplog: pytest.LogCaptureFixture) -> None:
    trouble.worked()
    for _ in range(400):
        trouble.failed("connection refused")
        now[0] += 0.25
    now[0] += QUIET_S
    trouble.worked()
    trouble.worked()
    assert caplog.messages == [
        "database: connection refused",
        f"database: 241 failures in {SUMMARY_S:.0f} s: connection refused",
        "database: works again, after 400 failures in 100 s",
    ]


def test_another_reason_is_told(trouble: Trouble, caplog: pytest.LogCaptureFixture) -> None:
    for reason in ("connection refused", "the database system is starting up", "connection refused"):
        trouble.failed(reason)
    assert caplog.messages == ["database: connection refused", "database: the database system is starting up"]


def test_what_works_beside_what_fails_is_not_its_end(
    trouble: Trouble, now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(20):
        trouble.failed("permission denied")
        trouble.worked()
        now[0] += 1
    assert caplog.messages == ["database: permission denied"]


def test_a_single_failure_is_a_single_line(
    trouble: Trouble, now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    trouble.failed("a deadlock")
    now[0] += 60
    trouble.worked()
    trouble.failed("a deadlock")
    assert caplog.messages == ["database: a deadlock", "database: a deadlock"]
