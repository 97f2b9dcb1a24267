"""Pictures made ready for prefixes that are not begun: held for as long as somebody may want those, and there is room.

For any thread. Knows nothing of how a picture is made ready or read.
"""

import threading
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from overpaint.engine.job import BlockKey, PrefixSpec
from overpaint.model.references import ReadyReference

_READY_PIXELS = 32 * 2**20
"""Of pictures that wait, at most; they take 40 bytes each."""


@dataclass(slots=True)
class _Place:
    num_pixels: int
    picture: ReadyReference | None = None


class ReadyPictures:
    """Those of all prefixes that wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: WeakKeyDictionary[PrefixSpec, dict[BlockKey, _Place]] = WeakKeyDictionary()

    def reserve(self, spec: PrefixSpec, key: BlockKey, num_pixels: int) -> bool:
        """Take a place for a block's picture; False when it has one, for whatever prefix, or there is no room."""
        with self._lock:
            places = list(self._places.values())
            taken = sum(place.num_pixels for of_one in places for place in of_one.values())
            if any(key in of_one for of_one in places) or taken + num_pixels > _READY_PIXELS:
                return False
            self._places.setdefault(spec, {})[key] = _Place(num_pixels)
            return True

    def put(self, spec: PrefixSpec, key: BlockKey, picture: ReadyReference) -> None:
        """Lay down what a place was reserved for."""
        with self._lock:
            self._places[spec][key].picture = picture

    def take(self, spec: PrefixSpec) -> dict[BlockKey, ReadyReference]:
        """Whatever of a prefix is ready, not to be held here any longer."""
        with self._lock:
            places = self._places.pop(spec, {})
        return {key: place.picture for key, place in places.items() if place.picture}
