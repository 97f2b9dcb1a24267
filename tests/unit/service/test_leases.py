"""Whose lease has run out is seen, not read off anybody's clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from overpaint.core.task import Lease
from overpaint.service.leases import LeaseWatch
from overpaint.store.rows import accepted_task
from tests.contract.store.making import TaskMaker

LEASE_S = 20.0
LOOK_S = 5
BEGIN = datetime(2026, 1, 15, tzinfo=UTC)


class Seconds:
    """Time that a test owns."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def __call__(self) -> float:
        return self.passed_s


def lease_of(name: str, expires_at: datetime = BEGIN) -> Lease:
    return Lease(accepted_task(replace(TaskMaker()(), id=name), BEGIN), "worker", expires_at, token=1)


def looks(watch: LeaseWatch, seconds: Seconds, leases: list[Lease], number: int) -> list[list[Lease]]:
    found: list[list[Lease]] = []
    for _ in range(number):
        found.append(watch.ran_out(leases))
        seconds.passed_s += LOOK_S
    return found


def test_a_lease_that_stands_still_for_its_duration_has_run_out() -> None:
    seconds, dead = Seconds(), lease_of("dead")
    assert looks(LeaseWatch(LEASE_S, seconds), seconds, [dead], 6) == [[], [], [], [], [dead], [dead]]


def test_whose_clock_goes_wrong_by_minutes_or_is_set_back_loses_nothing_and_keeps_nothing() -> None:
    seconds = Seconds()
    watch = LeaseWatch(LEASE_S, seconds)
    behind = [BEGIN - timedelta(minutes=2) + timedelta(seconds=LOOK_S) * turn for turn in range(12)]
    set_back = lease_of("set back", BEGIN + timedelta(hours=1))
    found = [looks(watch, seconds, [lease_of("alive", at), set_back], 1)[0] for at in behind]
    assert found[:4] == [[]] * 4
    assert found[4:] == [[set_back]] * 8


def test_while_nobody_could_look_nobody_could_renew() -> None:
    seconds, alive = Seconds(), lease_of("alive")
    watch = LeaseWatch(LEASE_S, seconds)
    assert looks(watch, seconds, [alive], 3) == [[]] * 3
    seconds.passed_s += 60  # the database was away
    assert looks(watch, seconds, [alive], 4) == [[]] * 4
    assert watch.ran_out([alive]) == [alive]


def test_what_is_gone_is_forgotten_and_begins_anew() -> None:
    seconds, lease = Seconds(), lease_of("once")
    watch = LeaseWatch(LEASE_S, seconds)
    looks(watch, seconds, [lease], 4)
    assert looks(watch, seconds, [], 1) == [[]]
    assert looks(watch, seconds, [lease], 4) == [[]] * 4
