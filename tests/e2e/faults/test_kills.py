"""kill -9 at any moment, on any process: every accepted task ends once, is charged once, and is told of.

`make test-slow` runs 2 x 20 rounds over 200 tasks; the fast tests run three.
"""

import random
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import PictureBytes
from tests.e2e.faults.clients import Clients, at_work
from tests.e2e.faults.receiver import listening
from tests.e2e.faults.verdict import judge, wait_until_all_ended, wait_until_all_told
from tests.e2e.faults.victim import Victim, running

TARGETS = ("engine", "api", "both")


@dataclass(frozen=True)
class Plan:
    """A way to hurt a server.

    Args:
        model: what paints.
        tasks: how many in all, spread over the rounds.
        rounds: kills.
        longest_s: at most so long between two kills.
        end_s: until all tasks have ended after the last one.
        waits: for readiness before each round: an engine that takes long to load would else be killed while it does.
    """

    model: str
    tasks: int
    rounds: int
    longest_s: float
    end_s: float
    waits: bool = False


SHORT = Plan("null:0.1", tasks=24, rounds=3, longest_s=1.5, end_s=60)
FLAT = Plan("null:0.2", tasks=140, rounds=20, longest_s=6, end_s=240)
BUNDLED = Plan("", tasks=60, rounds=20, longest_s=2, end_s=300, waits=True)


def hurt(plan: Plan, folder: Path, picture: bytes, seed: int) -> None:
    draw = random.Random(seed)
    targets = [TARGETS[number % 3] for number in range(plan.rounds)]
    draw.shuffle(targets)
    with listening() as receiver, running(Victim(folder, plan.model)) as victim:
        clients = Clients(victim, receiver.url, picture)
        with at_work(clients):
            for number, target in enumerate(targets):
                if plan.waits:
                    victim.wait_ready()
                clients.allow(plan.tasks * (number + 1) // plan.rounds - plan.tasks * number // plan.rounds)
                time.sleep(draw.uniform(0.05, plan.longest_s))
                victim.kill(target)
            clients.wait_accepted(plan.tasks, timeout_s=plan.end_s)
        wait_until_all_ended(victim, plan.end_s)
        wait_until_all_told(victim, receiver, plan.end_s)
        assert victim.stop() < 10
        verdict = judge(victim, clients.accepted, receiver)
    print(f"{plan} -> {verdict} {dict(clients.statuses)}")
    assert sum(verdict.states.values()) >= plan.tasks


def test_three_kills_lose_nothing(tmp_path: Path, picture_bytes: PictureBytes) -> None:
    hurt(SHORT, tmp_path, picture_bytes("PNG", size=(64, 64)), seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("plan", [FLAT, BUNDLED], ids=["null", "bundled"])
def test_twenty_kills_lose_nothing(tmp_path: Path, picture_bytes: PictureBytes, plan: Plan) -> None:
    hurt(plan, tmp_path, picture_bytes("PNG", size=(64, 64)), seed=2)
