"""A timeline of the engine's ticks, in the format that chrome://tracing and Perfetto open. Torch-free.

{"traceEvents": [{"name": "denoise", "ph": "X", "ts": 12.0, "dur": 3.4, "pid": 1, "tid": 1, "args": {...}}]}

Keeps the last ticks in memory and writes them to a file every now and then, so that one is there after a kill too;
whoever owns it does so when there is nothing to do.
"""

import json
import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from overpaint.engine.plan import StageTimes, StepPlan, StepResult

_log = logging.getLogger(__name__)
_US = 1e6
_STAGES = ("condition", "prefill", "denoise", "preview", "decode")


class Trace:
    """The last ticks.

    Args:
        path: the file; None keeps them in memory only.
        max_ticks: older ones are forgotten.
        save_every_s: between two writes, in the trace's own time.
    """

    def __init__(self, path: Path | None = None, max_ticks: int = 5_000, save_every_s: float = 10.0) -> None:
        self._path = path
        self._ticks: deque[tuple[float, StepPlan, StageTimes]] = deque(maxlen=max_ticks)
        self._save_every_s = save_every_s
        self._saved_s: float | None = None

    def add(self, start_s: float, plan: StepPlan, result: StepResult) -> None:
        """Note one tick that began at `start_s`; its stages follow one another."""
        self._ticks.append((start_s, _without_pictures(plan), result.times))
        if self._saved_s is None:
            self._saved_s = start_s
        elif start_s - self._saved_s >= self._save_every_s:
            self._saved_s = start_s
            self.save()

    def save(self) -> None:
        """Write the timeline; a file that cannot be written costs a line in the log and no picture."""
        if self._path is None:
            return
        document = {"traceEvents": list(self.events()), "displayTimeUnit": "ms"}
        unfinished = self._path.with_name(self._path.name + ".part")
        try:
            unfinished.write_text(json.dumps(document), "utf-8")
            unfinished.replace(self._path)
        except OSError as error:
            _log.warning("the trace cannot be written: %s", error)

    def events(self) -> Iterator[dict[str, Any]]:
        """Chrome's events, oldest first."""
        for start_s, plan, times in self._ticks:
            for stage in _STAGES:
                duration_s = getattr(times, f"{stage}_s")
                if duration_s:
                    yield _event(stage, start_s, duration_s, _details(stage, plan))
                    start_s += duration_s


def _without_pictures(plan: StepPlan) -> StepPlan:
    """The plan with nothing in it that is worth memory."""
    if plan.prefill is None:
        return plan
    spec = replace(plan.prefill.spec, pictures=(), words="")
    return replace(plan, prefill=replace(plan.prefill, spec=spec))


def _event(name: str, start_s: float, duration_s: float, args: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "ph": "X", "ts": start_s * _US, "dur": duration_s * _US, "pid": 1, "tid": 1, "args": args}


def _details(stage: str, plan: StepPlan) -> dict[str, Any]:
    if stage == "denoise":
        return {work.sequence_id: work.step for work in plan.denoise}
    if stage in ("condition", "prefill") and plan.prefill:
        return {"prefix": plan.prefill.spec.key, "pictures": len(plan.prefill.spec.picture_keys)}
    return {"sequences": list(plan.decode if stage == "decode" else plan.preview)}
