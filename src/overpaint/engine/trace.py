"""A timeline of the engine's ticks, in the format that chrome://tracing and Perfetto open. Torch-free.

{"traceEvents": [{"name": "denoise", "ph": "X", "ts": 12.0, "dur": 3.4, "pid": 1, "tid": 1, "args": {...}}]}
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from overpaint.engine.plan import StepPlan, StepResult

_US = 1e6
_STAGES = ("condition", "prefill", "denoise", "preview", "decode")


class Trace:
    """Collects ticks in memory.

    Args:
        max_events: older ones are dropped beyond this.
    """

    def __init__(self, max_events: int = 200_000) -> None:
        self._events: list[dict[str, Any]] = []
        self._max_events = max_events

    def add(self, start_s: float, plan: StepPlan, result: StepResult) -> None:
        """Note one tick that began at `start_s`; its stages follow one another."""
        times = asdict(result.times)
        for stage in _STAGES:
            duration_s = times[f"{stage}_s"]
            if duration_s:
                self._events.append(_event(stage, start_s, duration_s, _details(stage, plan)))
                start_s += duration_s
        del self._events[: -self._max_events]

    def save(self, path: Path) -> None:
        """Write the timeline."""
        path.write_text(json.dumps({"traceEvents": self._events, "displayTimeUnit": "ms"}), "utf-8")


def _event(name: str, start_s: float, duration_s: float, args: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "ph": "X", "ts": start_s * _US, "dur": duration_s * _US, "pid": 1, "tid": 1, "args": args}


def _details(stage: str, plan: StepPlan) -> dict[str, Any]:
    if stage == "denoise":
        return {work.sequence_id: work.step for work in plan.denoise}
    if stage in ("condition", "prefill") and plan.prefill:
        reuse = plan.prefill.reuse
        return {"prefix": plan.prefill.spec.key, "reused_pictures": reuse.num_pictures if reuse else 0}
    return {"sequences": list(plan.decode if stage == "decode" else plan.preview)}
