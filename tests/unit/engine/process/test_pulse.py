"""What counts as getting on, of a process that is looked at once a second."""

from contextlib import nullcontext
from types import SimpleNamespace

import psutil
import pytest

from overpaint.engine.process import pulse
from overpaint.engine.process.pulse import Pulse


class Watched:
    """A process that does in each second what it is told to."""

    def __init__(self) -> None:
        self.at_s, self.spent_s, self.read, self.rss, self.is_gone = 0.0, 0.0, 0, 0, False

    def oneshot(self) -> "nullcontext[None]":
        return nullcontext()

    def cpu_times(self) -> SimpleNamespace:
        if self.is_gone:
            raise psutil.NoSuchProcess(1)
        return SimpleNamespace(user=self.spent_s, system=0.0)

    def io_counters(self) -> SimpleNamespace:
        return SimpleNamespace(read_chars=self.read, write_chars=0, read_bytes=0, write_bytes=0)

    def memory_info(self) -> SimpleNamespace:
        return SimpleNamespace(rss=self.rss)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    process = Watched()
    monkeypatch.setattr(pulse.psutil, "Process", lambda _: process)
    monkeypatch.setattr(pulse.time, "monotonic", lambda: process.at_s)
    return process


@pytest.mark.parametrize(
    ("did", "is_beat"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"spent_s": 1.0}, False, id="turned in a circle"),
        pytest.param({"spent_s": 0.01}, True, id="looked whether others are done"),
        pytest.param({"spent_s": 1.0, "read": 4096}, True, id="read"),
        pytest.param({"spent_s": 1.0, "rss": 4096}, True, id="took memory"),
        pytest.param({"spent_s": 1.0, "rss": -4096}, True, id="gave memory back"),
        pytest.param({"is_gone": True}, True, id="ended"),
    ],
)
def test_what_gets_on(watched: Watched, did: dict[str, float], is_beat: bool) -> None:
    watched.rss = 1 << 20
    beating = Pulse(1)
    beating.beats()
    for _ in range(3):
        watched.at_s += 1
        for name, change in did.items():
            setattr(watched, name, getattr(watched, name) + change)
        assert beating.beats() is is_beat
