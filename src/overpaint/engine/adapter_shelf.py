"""The adapters of one device: read by whoever submits, put on the device when there is room, kept while there is.

What open tasks use is never taken away; what nobody uses stays until its room is needed, oldest first. Reading takes as
long as the file is large and happens on the caller's thread, between no two steps of anybody. Decides nothing else.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from overpaint.core.errors import OversizeError, RequestError
from overpaint.core.request import AdapterFile
from overpaint.engine.job import AdapterUse
from overpaint.images.limits import MIB
from overpaint.model.lora import Adapter, AdapterMix

Reader = Callable[[AdapterFile], Adapter]
"""Reads a file into host memory; raises `ValueError` with a clause, or `OSError`."""


@dataclass(slots=True)
class _Held:
    adapter: Adapter
    is_placed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """The adapters that one task uses, by digest; they stay until it is released."""

    digests: frozenset[str]


class AdapterShelf:
    """Holds adapters. `open` may be called from any thread, the rest from the engine's.

    Args:
        read: a file to an adapter.
        device: where they are used.
        budget_bytes: on the device, for all of them together.
    """

    def __init__(self, read: Reader, device: torch.device, budget_bytes: int) -> None:
        self._read = read
        self._device = device
        self.budget_bytes = budget_bytes
        self._lock = threading.Lock()
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._reservations: set[Reservation] = set()
        self._placed: set[Reservation] = set()

    @property
    def placed_bytes(self) -> int:
        """Bytes taken on the device."""
        with self._lock:
            return self._placed_bytes()

    def open(self, files: Sequence[AdapterFile]) -> Reservation:
        """Read what is not here yet into host memory, and keep all of it for a task.

        Raises:
            RequestError: a file does not fit the checkpoint, or cannot be read.
            OversizeError: they take more than the budget.
        """
        reservation = Reservation(frozenset(file.digest for file in files))
        with self._lock:
            self._reservations.add(reservation)
        try:
            for index, file in enumerate(files):
                if file.digest not in self._held:
                    adapter = self._open(file, f"adapters[{index}]")
                    with self._lock:
                        self._held.setdefault(file.digest, _Held(adapter))
            self._check_size(reservation)
        except Exception:
            self.release(reservation)
            raise
        return reservation

    def has_room(self, reservation: Reservation) -> bool:
        """Whether they are on the device, or could be after what nobody uses has gone."""
        with self._lock:
            wanted = reservation.digests
            missing = sum(self._held[digest].adapter.num_bytes for digest in self._missing(reservation))
            idle = sum(self._held[digest].adapter.num_bytes for digest in self._idle() if digest not in wanted)
            return self._placed_bytes() - idle + missing <= self.budget_bytes

    def place(self, reservation: Reservation) -> None:
        """Put them on the device; there must be room. May raise what torch raises."""
        with self._lock:
            self._placed.add(reservation)
            for digest in self._missing(reservation):
                held = self._held[digest]
                self._make_room(held.adapter.num_bytes)
                held.adapter, held.is_placed = held.adapter.to(self._device), True
            for digest in reservation.digests:
                self._held.move_to_end(digest)

    def mix(self, uses: Sequence[AdapterUse]) -> AdapterMix:
        """Adapters that were placed, each with its scale."""
        with self._lock:
            return tuple((self._held[use.digest].adapter, use.scale) for use in uses)

    def release(self, reservation: Reservation) -> None:
        """A task has ended; what was not put on the device yet goes, unless somebody else waits for it."""
        with self._lock:
            self._reservations.discard(reservation)
            self._placed.discard(reservation)
            for digest in reservation.digests & self._held.keys():
                if not self._held[digest].is_placed and not _is_in(digest, self._reservations):
                    del self._held[digest]

    def check_integrity(self) -> None:
        """Assert that the budget is kept, and that when nobody is here only placed adapters are."""
        with self._lock:
            assert self._placed_bytes() <= self.budget_bytes, self._placed_bytes()
            assert self._reservations or all(held.is_placed for held in self._held.values())

    def _open(self, file: AdapterFile, field: str) -> Adapter:
        try:
            return self._read(file)
        except ValueError as exc:
            raise RequestError(field, file.name, str(exc)) from exc
        except OSError as exc:
            raise RequestError(field, file.name, f"cannot be read ({exc.strerror or exc})") from exc

    def _check_size(self, reservation: Reservation) -> None:
        with self._lock:
            needed = sum(self._held[digest].adapter.num_bytes for digest in reservation.digests)
        if needed > self.budget_bytes:
            has = self.budget_bytes / MIB
            raise OversizeError(f"adapters of {needed / MIB:.0f} MiB do not fit; this device has {has:.0f} for them")

    def _make_room(self, num_bytes: int) -> None:
        """Take away what nobody uses; what somebody waits for goes back to host memory."""
        for digest in self._idle():
            if self._placed_bytes() + num_bytes <= self.budget_bytes:
                break
            held = self._held[digest]
            if _is_in(digest, self._reservations):
                held.adapter, held.is_placed = held.adapter.to(torch.device("cpu")), False
            else:
                del self._held[digest]

    def _placed_bytes(self) -> int:
        return sum(held.adapter.num_bytes for held in self._held.values() if held.is_placed)

    def _missing(self, reservation: Reservation) -> list[str]:
        return [digest for digest in reservation.digests if not self._held[digest].is_placed]

    def _idle(self) -> list[str]:
        """On the device and used by nobody who was placed, oldest first."""
        return [digest for digest, held in self._held.items() if held.is_placed and not _is_in(digest, self._placed)]


def _is_in(digest: str, reservations: set[Reservation]) -> bool:
    return any(digest in reservation.digests for reservation in reservations)
