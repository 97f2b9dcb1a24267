"""Carries out one plan at a time and tells what came of it: the only place where a failure of torch becomes ours.

Decides nothing. A failure costs only the sequences that caused it.
"""

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import torch

from overpaint.core import BackendError, CapacityError, OverpaintError, Picture
from overpaint.engine.job import PrefixKey, SequenceId
from overpaint.engine.painter import Painter
from overpaint.engine.plan import StageTimes, StepPlan, StepResult, StepWork

_log = logging.getLogger(__name__)
_Failures = list[tuple[SequenceId, OverpaintError]]


@dataclass(slots=True)
class _Stopwatch:
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, stage: str) -> Generator[None]:
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - start


class Runner:
    """Executes plans.

    Args:
        painter: does the computing.
        users_of: names the sequences that wait for a prefix, to fail them with it.
    """

    def __init__(self, painter: Painter, users_of: Callable[[PrefixKey], tuple[SequenceId, ...]]) -> None:
        self._painter = painter
        self._users_of = users_of

    def execute(self, plan: StepPlan) -> StepResult:
        """Carry out a plan, in the order of its fields."""
        for sequence_id in plan.drop:
            self._painter.drop(sequence_id)
        for key in plan.release:
            self._painter.release(key)
        watch, failures = _Stopwatch(), _Failures()
        prefilled = self._prefill(plan.prefill, watch, failures) if plan.prefill else None
        stepped = self._denoise(plan.denoise, watch, failures) if plan.denoise else ()
        decoded = tuple(self._decode(plan.decode, watch, failures))
        times = StageTimes(**{f"{stage}_s": seconds for stage, seconds in watch.seconds.items()})
        return StepResult(prefilled, stepped, decoded, tuple(failures), times)

    def _prefill(self, key: PrefixKey, watch: _Stopwatch, failures: _Failures) -> PrefixKey | None:
        try:
            with watch.time("condition"):
                condition = self._painter.condition(key)
                self._painter.synchronize()
            with watch.time("prefill"):
                self._painter.prefill(key, condition)
                self._painter.synchronize()
        except Exception as error:  # noqa: BLE001  whatever torch raises is answered, not dropped
            failures.extend((sequence_id, _ours(error)) for sequence_id in self._users_of(key))
            return None
        return key

    def _denoise(self, work: tuple[StepWork, ...], watch: _Stopwatch, failures: _Failures) -> tuple[StepWork, ...]:
        with watch.time("denoise"):
            try:
                self._painter.step(work)
                self._painter.synchronize()
            except Exception as error:  # noqa: BLE001  whatever torch raises is answered, not dropped
                if len(work) == 1:
                    failures.append((work[0].sequence_id, _ours(error)))
                    return ()
            else:
                return work
        # Somebody in the pack is at fault. No latents were changed, so each can be tried alone.
        return tuple(item for single in work for item in self._denoise((single,), watch, failures))

    def _decode(
        self, sequence_ids: tuple[SequenceId, ...], watch: _Stopwatch, failures: _Failures
    ) -> Iterator[tuple[SequenceId, Picture]]:
        for sequence_id in sequence_ids:
            try:
                with watch.time("decode"):
                    picture = self._painter.decode(sequence_id)
            except Exception as error:  # noqa: BLE001  whatever torch raises is answered, not dropped
                failures.append((sequence_id, _ours(error)))
            else:
                yield sequence_id, picture


def _ours(error: Exception) -> OverpaintError:
    """The error a caller is told; the whole of it goes to the log."""
    if isinstance(error, OverpaintError):
        return error
    _log.error("the engine failed on a sequence", exc_info=error)
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return CapacityError("out of memory on the device; try a smaller size or fewer pictures")
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return BackendError(f"the engine failed: {reason}")
