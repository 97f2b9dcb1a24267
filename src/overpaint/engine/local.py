"""The engine on a thread of this process: an `EngineClient` that paints here.

Turns the wheel. All scheduling and all tensors belong to the one thread; other threads only leave jobs, cancels and
questions at the door.
"""

import logging
import threading
from collections.abc import Iterator
from time import monotonic
from typing import Self

from overpaint.core import (
    BackendError,
    CancelledTaskError,
    EngineConfig,
    Event,
    GenerationRequest,
    ModelConfig,
    ModelInfo,
    OverpaintError,
    Terms,
)
from overpaint.core.engine_stats import EngineStats
from overpaint.core.ports import EngineAwayError
from overpaint.core.terms import DEFAULT_TERMS
from overpaint.engine.adapter_shelf import Reservation
from overpaint.engine.job import Job, JobPlanner
from overpaint.engine.lobby import Lobby
from overpaint.engine.opening import open_checkpoint
from overpaint.engine.runner import DeviceLostError
from overpaint.engine.task_book import TaskBook
from overpaint.engine.threads import in_passing_thread
from overpaint.engine.wheel import Wheel
from overpaint.engine.writing import Writing
from overpaint.model.checkpoint import Checkpoint
from overpaint.model.device import keep_host_memory
from overpaint.model.writer import Writer

_log = logging.getLogger(__name__)


class MonotonicClock:
    """The machine's own clock."""

    def now_s(self) -> float:
        """Seconds since an arbitrary start."""
        return monotonic()


class LocalEngine:
    """Paints in this process.

    Args:
        checkpoint: loaded.
        config: how to schedule.

    Attributes:
        crashed: set when the engine's thread has ended by an error and everybody was answered.
    """

    def __init__(self, checkpoint: Checkpoint, config: EngineConfig | None = None) -> None:
        config = config or EngineConfig()
        self._info = checkpoint.info
        self._door = threading.Condition()
        self._book = TaskBook(self._info.name, MonotonicClock())
        self._wheel = in_passing_thread(lambda: Wheel(checkpoint, config, self._book, self._door))
        self._adapters = self._wheel.painter.adapters
        self._planner = JobPlanner(self._info, self._wheel.painter.conditioner.count_tokens, config.share_prefixes)
        self._arrivals: list[Job] = []
        self._lobby = Lobby(lambda job: self._adapters.has_room(self._reservations[job.task_id]))
        self._reservations: dict[str, Reservation] = {}
        self._cancels: list[str] = []
        self._is_closing = False
        self._crash: str | None = None
        self.crashed = threading.Event()
        self._is_idle = True
        self._held_tasks: set[str] = set()
        self._writer = Writer(checkpoint.text_encoder, checkpoint.tokenizer)
        self._writing = Writing()
        self._thread = threading.Thread(target=self._run, name="overpaint-engine", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, model: ModelConfig, engine: EngineConfig | None = None) -> Self:
        """Load a checkpoint and start.

        Raises:
            ConfigError: the checkpoint or the device cannot be used.
        """
        keep_host_memory()
        return cls(in_passing_thread(lambda: open_checkpoint(model, engine or EngineConfig())), engine)

    @property
    def info(self) -> ModelInfo:
        """The loaded checkpoint."""
        return self._info

    @property
    def stats(self) -> EngineStats:
        """See `EngineClient.stats`."""
        return self._wheel.stats(
            num_outside=self._lobby.num_sequences,
            num_started=self._book.num_started,
            queue_wait_s=self._book.queue_wait_s,
        )

    @property
    def num_running(self) -> int:
        """Pictures under way."""
        return self._wheel.num_running

    def submit(self, task_id: str, request: GenerationRequest, terms: Terms = DEFAULT_TERMS) -> None:
        """See `EngineClient.submit`."""
        job = self._planner.plan(task_id, request, terms)
        self._wheel.prepare(job)
        adapters = self._adapters.open(job.adapters)
        try:
            self._take(job, adapters)
        except OverpaintError:
            self._adapters.release(adapters)
            raise

    def _take(self, job: Job, adapters: Reservation) -> None:
        """Leave a job at the door."""
        task_id = job.task_id
        with self._door:
            if not self._book.is_open(task_id):
                # Its id may be used again, but what is still held under it, for a tick, must not be taken for the new.
                self._door.wait_for(lambda: self._is_closing or task_id not in self._held_tasks)
            self._check_open()
            self._book.open(job)
            self._held_tasks.add(task_id)
            self._reservations[task_id] = adapters
            self._arrivals.append(job)
            self._is_idle = False
            self._door.notify_all()

    def _check_open(self) -> None:
        if self._crash:
            raise EngineAwayError(self._crash)
        if self._is_closing:
            raise BackendError("the engine is closed")

    def events(self, task_id: str) -> Iterator[Event]:
        """See `EngineClient.events`."""
        return self._book.listen(task_id)

    def cancel(self, task_id: str) -> None:
        """See `EngineClient.cancel`."""
        with self._door:
            if not self._book.is_open(task_id):
                return
            self._book.fail(task_id, CancelledTaskError(f"task {task_id} was cancelled"))
            self._cancels.append(task_id)
            self._door.notify_all()

    def write(self, instructions: str, words: str, max_tokens: int) -> str:
        """See `TextWriter.write`; a token between two ticks."""
        with self._door:
            self._check_open()
            text = self._writing.add(lambda: self._writer.write(instructions, words, max_tokens))
            self._door.notify_all()
        return text.result()

    def close(self) -> None:
        """See `EngineClient.close`."""
        with self._door:
            self._is_closing = True
            self._door.notify_all()
        self._thread.join()

    def wait_idle(self, timeout_s: float | None = None) -> bool:
        """Wait until all that was submitted has ended and was let go; False when the time is up."""
        with self._door:
            return self._door.wait_for(lambda: self._is_idle or not self._thread.is_alive(), timeout_s)

    def check_integrity(self) -> None:
        """Assert that tensors are held for exactly what the scheduler knows; call it when the engine is idle."""
        self._wheel.check_integrity()
        if not self._wheel.has_work:
            assert not self._reservations, self._reservations

    def _run(self) -> None:
        """The engine's thread: turn the wheel, answer everybody at the end, and tell when it was not asked for."""
        try:
            self._wheel.painter.use_device()
            self._turn()
        except DeviceLostError as lost:
            self._crash = f"the engine stopped: {lost}"
        except Exception as crash:  # noqa: BLE001  an invariant broke: no caller may be left waiting
            _log.exception("the engine stopped")
            self._crash = f"the engine stopped: {crash!r}"
        finally:
            try:
                self._end(BackendError(self._crash or "the engine was closed"))
            finally:
                if self._crash:
                    self.crashed.set()

    def _turn(self) -> None:
        """Tick while there is work, sleep when there is none, until told to close."""
        while self._take_in():
            if self._wheel.has_work:
                for task_id in self._wheel.turn(self._is_wanted):
                    self._let_go(task_id)
            if self._writing.has_work:
                self._writing.step()
            if not self._has_something_to_do():
                self._wheel.save_trace()  # whoever looks at it looks when what they asked for is painted

    def _end(self, error: OverpaintError) -> None:
        """Answer everybody, those who wait at the door included."""
        with self._door:
            self._is_closing = True
            self._writing.fail(error)
            for task_id in self._book.open_tasks:
                self._book.fail(task_id, error)
            self._door.notify_all()
        self._wheel.save_trace()

    def _take_in(self) -> bool:
        """Bring in what was left at the door, waiting when there is nothing to do; False when closing."""
        with self._door:
            self._is_idle = not self._has_something_to_do()
            self._door.notify_all()
            self._door.wait_for(self._has_something_to_do)
            self._is_idle = False
            arrivals, self._arrivals = self._arrivals, []
            cancels, self._cancels = self._cancels, []
            if self._is_closing:
                return False
        self._lobby.enter(arrivals)
        for job in self._lobby.ready():
            self._admit(job)
        for task_id in cancels:
            self._wheel.cancel(task_id)
            if self._lobby.leave(task_id):
                self._let_go(task_id)
        return True

    def _admit(self, job: Job) -> None:
        if error := self._wheel.admit(job, self._reservations[job.task_id]):
            with self._door:
                self._book.fail(job.task_id, error)
            self._let_go(job.task_id)

    def _let_go(self, task_id: str) -> None:
        """Nothing is held under this id any more."""
        with self._door:
            self._adapters.release(self._reservations.pop(task_id))
            self._held_tasks.discard(task_id)
            self._door.notify_all()

    def _has_something_to_do(self) -> bool:
        has_arrivals = self._arrivals or self._cancels
        has_work = self._wheel.has_work or self._lobby or self._writing.has_work
        return bool(self._is_closing or has_arrivals or has_work)

    def _is_wanted(self, task_ids: list[str]) -> bool:
        """Whether some of these tasks were not cancelled; asked in the middle of a tick."""
        if not self._cancels and not self._is_closing:
            return True
        with self._door:
            return not self._is_closing and not set(task_ids) <= set(self._cancels)
