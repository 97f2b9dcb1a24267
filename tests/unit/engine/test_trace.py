"""The timeline of ticks: what a trace viewer is given, how much is kept, and what becomes of a file out of reach."""

import json
from pathlib import Path

from overpaint.core.picture import Picture
from overpaint.engine.job import BlockSpec, PrefixSpec
from overpaint.engine.plan import PrefixWork, StageTimes, StepPlan, StepResult, StepWork
from overpaint.engine.trace import Trace

_PREFIX = PrefixSpec((BlockSpec("k", 4),), "secret words", (Picture(1, 1, "RGB", bytes(3)),), ("p",))
_PLAN = StepPlan(prefill=PrefixWork(_PREFIX, 8), denoise=(StepWork("a/0", 3), StepWork("b/0", 1)))
_RESULT = StepResult(times=StageTimes(condition_s=0.5, denoise_s=0.25))


def test_the_stages_of_a_tick_follow_one_another(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    trace = Trace(path)
    trace.add(2.0, _PLAN, _RESULT)
    trace.save()
    events = json.loads(path.read_text())["traceEvents"]
    assert [(e["name"], e["ts"], e["dur"]) for e in events] == [("condition", 2e6, 5e5), ("denoise", 2.5e6, 2.5e5)]
    assert events[1]["args"] == {"a/0": 3, "b/0": 1}
    assert "secret" not in path.read_text()


def test_only_the_last_ticks_are_kept_and_no_picture_with_them() -> None:
    trace = Trace(max_ticks=3)
    for second in range(10):
        trace.add(float(second), _PLAN, _RESULT)
    assert [e["ts"] for e in trace.events() if e["name"] == "condition"] == [7e6, 8e6, 9e6]
    assert all(plan.prefill and not plan.prefill.spec.pictures for _, plan, _ in trace._ticks)


def test_it_is_written_while_the_engine_runs(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    trace = Trace(path, save_every_s=10)
    trace.add(0.0, _PLAN, _RESULT)
    assert not path.exists()
    trace.add(10.0, _PLAN, _RESULT)
    assert len(json.loads(path.read_text())["traceEvents"]) == 4


def test_a_file_out_of_reach_stops_nothing(tmp_path: Path) -> None:
    trace = Trace(tmp_path / "no such folder" / "trace.json")
    trace.add(0.0, _PLAN, _RESULT)
    trace.save()
