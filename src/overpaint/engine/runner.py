"""Carries out one plan at a time and tells what came of it: the only place where a failure of torch becomes ours.

Decides nothing. A failure costs only the sequences that caused it.
"""

import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import torch

from overpaint.core import BackendError, CapacityError, OverpaintError, Picture
from overpaint.engine.adapter_shelf import Reservation
from overpaint.engine.job import Job, PrefixKey, SequenceId
from overpaint.engine.painter import Painter
from overpaint.engine.plan import PrefixWork, StageTimes, StepPlan, StepResult, StepWork
from overpaint.engine.stats import Calibration
from overpaint.model.transformer import AbandonedError

_log = logging.getLogger(__name__)
IsWanted = Callable[[Sequence[SequenceId]], bool]


@dataclass(slots=True)
class _Tick:
    """What has come of a plan so far."""

    is_wanted: IsWanted
    seconds: dict[str, float] = field(default_factory=dict)
    failed: list[tuple[SequenceId, OverpaintError]] = field(default_factory=list)
    failed_prefix: tuple[PrefixKey, OverpaintError] | None = None
    is_crowded: bool = False
    prefill_tokens: int = 0
    reused_tokens: int = 0

    @contextmanager
    def time(self, stage: str) -> Generator[None]:
        """Count the time of the block towards a stage."""
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - start


class Runner:
    """Executes plans.

    Args:
        painter: does the computing.
    """

    def __init__(self, painter: Painter) -> None:
        self._painter = painter

    def admit(self, job: Job, adapters: Reservation) -> OverpaintError | None:
        """Take a job in, its adapters before it, for which there must be room; the error when it cannot be."""
        try:
            self._painter.adapters.place(adapters)
            self._painter.admit(job)
        except Exception as error:  # noqa: BLE001  whatever torch raises is answered, not dropped
            for spec in job.sequences:
                self._painter.drop(spec.sequence_id)
            return _ours(error)
        return None

    def calibrate(self) -> Calibration | None:
        """Measure the device; None when that fails, which costs nobody a picture."""
        try:
            return self._painter.calibrate()
        except Exception as error:  # noqa: BLE001  a device too full to be measured may still paint
            _log.warning("the device could not be measured, so all that fits is stepped together: %s", _ours(error))
        self._painter.give_back_memory()
        return None

    def execute(self, plan: StepPlan, is_wanted: IsWanted = lambda _: True) -> StepResult:
        """Carry out a plan, in the order of its fields.

        Args:
            plan: what to do.
            is_wanted: whether anybody waits for any of these sequences. It is asked between the blocks of a pass; a
                pass that nobody waits for is abandoned, and is in no field of the result.
        """
        for sequence_id in plan.drop:
            self._painter.drop(sequence_id)
        for key in plan.spill:
            self._painter.prefixes.spill(key)
        for key in plan.release:
            self._painter.prefixes.release(key)
        tick = _Tick(is_wanted)
        prefilled = self._prefill(plan.prefill, tick) if plan.prefill else None
        stepped = tuple(item for pack in _packs(plan.denoise) for item in self._denoise(pack, tick))
        moved = {item.sequence_id for item in stepped}
        seen = [key for key in plan.preview if key in moved]
        previews = _each("preview", seen, self._painter.preview, tick, _go_without_preview)
        decoded = _each("decode", plan.decode, self._painter.decode, tick, lambda *told: tick.failed.append(told))
        times = StageTimes(**{f"{stage}_s": seconds for stage, seconds in tick.seconds.items()})
        return StepResult(
            prefilled=prefilled,
            prefill_tokens=tick.prefill_tokens,
            reused_tokens=tick.reused_tokens,
            stepped=stepped,
            previews=tuple(previews),
            decoded=tuple(decoded),
            failed_prefix=tick.failed_prefix,
            failed=tuple(tick.failed),
            is_crowded=tick.is_crowded,
            times=times,
        )

    def _prefill(self, work: PrefixWork, tick: _Tick) -> PrefixKey | None:
        """One unit of work on a prefix; its key when it stands."""
        prefixes, key = self._painter.prefixes, work.spec.key
        try:
            if not prefixes.is_begun(key):
                with tick.time("condition"):
                    tick.reused_tokens = prefixes.begin(work.spec)
                    self._painter.synchronize()
            if not prefixes.is_standing(key):
                with tick.time("prefill"):
                    tick.prefill_tokens = prefixes.advance(work, lambda: tick.is_wanted(work.users))
                    self._painter.synchronize()
        except AbandonedError:
            return None
        except Exception as error:  # noqa: BLE001  whatever torch raises is answered, not dropped
            tick.failed_prefix = (key, _ours(error))
            return None
        return key if prefixes.is_standing(key) else None

    def _denoise(self, work: tuple[StepWork, ...], tick: _Tick) -> tuple[StepWork, ...]:
        """Step a pack; the steps that were taken."""
        try:
            error = self._try_step(work, tick)
        except AbandonedError:
            return ()
        if error is None:
            return work
        if len(work) == 1:
            tick.failed.append((work[0].sequence_id, error))
            return ()
        tick.is_crowded = tick.is_crowded or isinstance(error, CapacityError)
        # Somebody in the pack is at fault, or it was too many. No latents were changed, so each can be tried alone.
        return tuple(item for single in work for item in self._denoise((single,), tick))

    def _try_step(self, work: tuple[StepWork, ...], tick: _Tick) -> OverpaintError | None:
        """Step a pack, or tell why not; nothing of a failed pass is alive afterwards."""
        try:
            with tick.time("denoise"):
                self._painter.step(work, lambda: tick.is_wanted([item.sequence_id for item in work]))
                self._painter.synchronize()
        except AbandonedError:
            raise
        except Exception as error:  # noqa: BLE001  whatever torch raises is answered, not dropped
            found = _ours(error)
        else:
            return None
        self._painter.give_back_memory()
        return found


def _each(
    stage: str,
    sequence_ids: Sequence[SequenceId],
    make: Callable[[SequenceId], Picture],
    tick: _Tick,
    tell: Callable[[SequenceId, OverpaintError], None],
) -> list[tuple[SequenceId, Picture]]:
    """Make a picture of every sequence; of whom none can be made, `tell` hears alone."""
    made: list[tuple[SequenceId, Picture]] = []
    for sequence_id in sequence_ids:
        try:
            with tick.time(stage):
                made.append((sequence_id, make(sequence_id)))
        except Exception as error:  # noqa: BLE001  whatever torch raises is told, not dropped
            tell(sequence_id, _ours(error))
    return made


def _go_without_preview(sequence_id: SequenceId, error: OverpaintError) -> None:
    """For want of a preview no picture fails."""
    _log.warning("there is no preview of %s: %s", sequence_id, error)


def _packs(work: tuple[StepWork, ...]) -> list[tuple[StepWork, ...]]:
    """Everybody together, but those who must step alone."""
    together = tuple(item for item in work if not item.alone)
    return [pack for pack in (together, *((item,) for item in work if item.alone)) if pack]


def _ours(error: Exception) -> OverpaintError:
    """The error a caller is told; the whole of it goes to the log."""
    if isinstance(error, OverpaintError):
        return error
    _log.error("the engine failed on a sequence", exc_info=error)
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return CapacityError("out of memory on the device")
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return BackendError(f"the engine failed: {reason}")
