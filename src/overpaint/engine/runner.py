"""Carries out one plan at a time and tells what came of it: the only place where a failure of torch is caught.

Decides nothing. A failure costs only the sequences that caused it, unless the device is lost with it. What it is
called is for `faults` to say.
"""

import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from overpaint.core import CapacityError, OverpaintError, Picture
from overpaint.engine import faults
from overpaint.engine.adapter_shelf import Reservation
from overpaint.engine.job import BlockKey, Job, PrefixKey, SequenceId
from overpaint.engine.painter import Painter
from overpaint.engine.plan import PrefixWork, StageTimes, StepPlan, StepResult, StepWork
from overpaint.engine.stats import Calibration
from overpaint.model.transformer import AbandonedError

_log = logging.getLogger(__name__)
IsWanted = Callable[[Sequence[SequenceId]], bool]


class DeviceLostError(Exception):
    """The device computes nothing any more in this process; nobody can be painted for."""


@dataclass(slots=True)
class _Tick:
    """What has come of a plan so far."""

    is_wanted: IsWanted
    seconds: dict[str, float] = field(default_factory=dict)
    failed: list[tuple[SequenceId, OverpaintError]] = field(default_factory=list)
    failed_prefix: tuple[PrefixKey, OverpaintError] | None = None
    crowd: tuple[SequenceId, ...] = ()
    prefill_tokens: int = 0

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
        responds: whether the device still computes; asked after an error that nobody expects.
    """

    def __init__(self, painter: Painter, responds: Callable[[], bool] = lambda: True) -> None:
        self._painter = painter
        self._responds = responds

    def admit(self, job: Job, adapters: Reservation) -> OverpaintError | None:
        """Take a job in, its adapters before it, for which there must be room; the error when it cannot be.

        Raises:
            DeviceLostError: nor can any other.
        """
        try:
            self._painter.adapters.place(adapters)
            self._painter.admit(job)
        except Exception as error:  # noqa: BLE001  whatever torch raises is answered, not dropped
            for spec in job.sequences:
                self._painter.drop(spec.sequence_id)
            return self._answer(error)
        return None

    def calibrate(self) -> Calibration | None:
        """Measure the device; None when that fails, which costs nobody a picture.

        Raises:
            DeviceLostError: it failed for good.
        """
        try:
            return self._painter.calibrate()
        except Exception as error:  # noqa: BLE001  a device too full to be measured may still paint
            found = self._answer(error)
            _log.warning("the device could not be measured, so all that fits is stepped together: %s", found)
        self._give_back_memory()
        return None

    def execute(self, plan: StepPlan, is_wanted: IsWanted = lambda _: True) -> StepResult:
        """Carry out a plan, in the order of its fields.

        Args:
            plan: what to do.
            is_wanted: whether anybody waits for any of these sequences. It is asked between the blocks of a pass; a
                pass that nobody waits for is abandoned, and is in no field of the result.

        Raises:
            DeviceLostError: nothing came of it, nor will of any other plan.
        """
        for sequence_id in plan.drop:
            self._painter.drop(sequence_id)
        lost = tuple(key for key in plan.spill if not self._spill(key))
        for key in plan.release:
            self._painter.prefixes.release(key)
        tick = _Tick(is_wanted)
        for sequence_id in plan.decode:
            self._begin_decode(sequence_id, tick)
        prefilled = self._prefill(plan.prefill, tick) if plan.prefill else None
        stepped = tuple(item for pack in _packs(plan.denoise) for item in self._denoise(pack, tick))
        moved = {item.sequence_id for item in stepped}
        seen = [key for key in plan.preview if key in moved]
        previews = self._each("preview", seen, self._painter.preview, tick, _go_without_preview)
        decoded = self._each("decode", plan.decode, self._painter.decode, tick, lambda *told: tick.failed.append(told))
        times = StageTimes(**{f"{stage}_s": seconds for stage, seconds in tick.seconds.items()})
        return StepResult(
            prefilled=prefilled,
            prefill_tokens=tick.prefill_tokens,
            stepped=stepped,
            previews=tuple(previews),
            decoded=tuple(decoded),
            lost=lost,
            failed_prefix=tick.failed_prefix,
            failed=tuple(tick.failed),
            crowd=tick.crowd,
            times=times,
        )

    def _spill(self, key: BlockKey) -> bool:
        """Move a block to the host's memory; False when that has no room, which costs nobody a picture."""
        try:
            self._painter.prefixes.spill(key)
        except Exception as error:  # noqa: BLE001  the block is gone from the device all the same
            _log.warning("a prefix had to be dropped instead of moved to the host: %s", self._answer(error))
            return False
        return True

    def _prefill(self, work: PrefixWork, tick: _Tick) -> PrefixKey | None:
        """One unit of work on a prefix; its key when it stands."""
        prefixes, key = self._painter.prefixes, work.spec.key
        try:
            with tick.time("condition"):
                if not prefixes.is_begun(key):
                    prefixes.begin(work.spec)
                if not prefixes.is_standing(key):
                    prefixes.read(work)
                self._painter.synchronize()
            if not prefixes.is_standing(key):
                with tick.time("prefill"):
                    tick.prefill_tokens = prefixes.advance(work, lambda: tick.is_wanted(work.users))
                    self._painter.synchronize()
        except AbandonedError:
            return None
        except Exception as error:  # noqa: BLE001  whatever torch raises is answered, not dropped
            tick.failed_prefix = (key, self._answer(error))
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
        if isinstance(error, CapacityError):
            tick.crowd = tuple(item.sequence_id for item in work)
        # Somebody in the pack is at fault, or it was too many. No latents were changed, so each can be tried alone.
        return tuple(item for single in work for item in self._denoise((single,), tick))

    def _try_step(self, work: tuple[StepWork, ...], tick: _Tick) -> OverpaintError | None:
        """Step a pack, or tell why not; nothing of a failed pass is alive afterwards."""
        try:
            with tick.time("denoise"):
                self._painter.step(work, lambda: tick.is_wanted([item.sequence_id for item in work]))
        except AbandonedError:
            raise
        except Exception as error:  # noqa: BLE001  whatever torch raises is answered, not dropped
            found = self._answer(error)
        else:
            return None
        self._give_back_memory()
        return found

    def _begin_decode(self, sequence_id: SequenceId, tick: _Tick) -> None:
        """Have a picture decoded beside the tick's passes; one that cannot be is decoded after them."""
        try:
            with tick.time("decode"):
                self._painter.begin_decode(sequence_id)
        except Exception as error:  # noqa: BLE001  whatever torch raises now it may not raise when there is more room
            _log.warning("a picture is decoded after the step instead of beside it: %s", self._answer(error))
            self._give_back_memory()

    def _each(
        self,
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
                tell(sequence_id, self._answer(error))
        return made

    def _give_back_memory(self) -> None:
        """Have the painter do so; a device that cannot and yet responds is worked with."""
        try:
            self._painter.give_back_memory()
        except Exception as error:  # noqa: BLE001  whatever torch raises is answered, not dropped
            self._answer(error)

    def _answer(self, error: Exception) -> OverpaintError:
        """The error a caller is told.

        Raises:
            DeviceLostError: no caller can be served any more.
        """
        found = faults.told(error)
        if not faults.is_harmless(error) and not self._responds():
            raise DeviceLostError(f"the device is lost ({faults.reason(error)})") from error
        return found


def _go_without_preview(sequence_id: SequenceId, error: OverpaintError) -> None:
    """For want of a preview no picture fails."""
    _log.warning("there is no preview of %s: %s", sequence_id, error)


def _packs(work: tuple[StepWork, ...]) -> list[tuple[StepWork, ...]]:
    """Everybody together, but those who must step alone."""
    together = tuple(item for item in work if not item.alone)
    return [pack for pack in (together, *((item,) for item in work if item.alone)) if pack]
