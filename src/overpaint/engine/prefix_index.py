"""Which prefixes are held, who uses them, and which one a new prefix can continue. Torch-free.

An entry is the unit of memory: one buffer with the keys and values of a whole prefix. A new prefix that shares its
first pictures with a held one copies those rows and computes only the rest. What nobody uses stays until room is
needed, oldest first; what runs is pinned; what only waits may be taken for something more urgent and is built again.
"""

from dataclasses import dataclass, field, replace

from overpaint.engine.job import PrefixKey, PrefixSpec, SequenceId


@dataclass(frozen=True, slots=True)
class Reuse:
    """Continue from a held prefix.

    Args:
        source: which one.
        num_pictures: leading pictures that both share.
    """

    source: PrefixKey
    num_pictures: int


@dataclass(slots=True)
class PrefixEntry:
    """A prefix that is wanted or held.

    Args:
        spec: what it is; without its pictures once nobody needs them to build it again.
        needs: bytes that each sequence that uses it needs its buffer to have.
        num_bytes: what its buffer has.
        pins: those of them that run.
        is_held: memory is taken for it.
        is_ready: its keys and values stand.
        used_at: when it was last needed, in the index's own count.
    """

    spec: PrefixSpec
    needs: dict[SequenceId, int] = field(default_factory=dict)
    num_bytes: int = 0
    pins: set[SequenceId] = field(default_factory=set)
    is_held: bool = False
    is_ready: bool = False
    used_at: int = 0

    @property
    def users(self) -> set[SequenceId]:
        """Sequences that need it."""
        return set(self.needs)


class PrefixIndex:
    """All prefixes of one device.

    Args:
        budget_bytes: memory for all entries together.
    """

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self._entries: dict[PrefixKey, PrefixEntry] = {}
        self._count = 0

    @property
    def held_bytes(self) -> int:
        """Bytes taken by entries."""
        return sum(entry.num_bytes for entry in self._entries.values() if entry.is_held)

    @property
    def held_keys(self) -> frozenset[PrefixKey]:
        """Prefixes for which memory is taken."""
        return frozenset(key for key, entry in self._entries.items() if entry.is_held)

    @property
    def unbuilt_keys(self) -> frozenset[PrefixKey]:
        """Prefixes for which memory is taken and which do not stand yet."""
        return frozenset(key for key, entry in self._entries.items() if entry.is_held and not entry.is_ready)

    def get(self, key: PrefixKey) -> PrefixEntry | None:
        """The entry of a prefix, if it is wanted or held."""
        return self._entries.get(key)

    def users_of(self, key: PrefixKey) -> tuple[SequenceId, ...]:
        """Sequences that need a prefix, in order of arrival."""
        entry = self._entries.get(key)
        return tuple(entry.needs) if entry else ()

    def want(self, spec: PrefixSpec, sequence_id: SequenceId, num_bytes: int) -> None:
        """Note that a sequence needs a prefix, with room for its own picture behind it."""
        entry = self._entries.setdefault(spec.key, PrefixEntry(spec))
        entry.spec = spec
        entry.needs[sequence_id] = num_bytes
        self._touch(entry)

    def forget(self, key: PrefixKey, sequence_id: SequenceId) -> None:
        """A sequence no longer needs a prefix; what is not held and not wanted disappears."""
        entry = self._entries[key]
        entry.needs.pop(sequence_id, None)
        entry.pins.discard(sequence_id)
        if not entry.needs:
            self._keep_or_delete(entry)

    def is_ready(self, key: PrefixKey) -> bool:
        """Whether a prefix's keys and values stand."""
        return self._entries[key].is_ready

    def is_standing(self, key: PrefixKey) -> bool:
        """Whether a prefix stands already, wanted or kept for reuse."""
        entry = self._entries.get(key)
        return entry is not None and entry.is_ready

    def pin(self, key: PrefixKey, sequence_id: SequenceId) -> None:
        """Keep a ready prefix while a sequence runs on it."""
        entry = self._entries[key]
        assert entry.is_ready, key
        entry.pins.add(sequence_id)
        self._touch(entry)

    def unpin(self, key: PrefixKey, sequence_id: SequenceId) -> None:
        """The sequence waits again."""
        self._entries[key].pins.discard(sequence_id)

    def match(self, spec: PrefixSpec) -> Reuse | None:
        """The held prefix that shares the most leading pictures, if any shares one."""
        for num_pictures in range(len(spec.chain) - 1, 0, -1):
            for key, entry in self._entries.items():
                if entry.is_ready and entry.spec.chain[:-1][:num_pictures] == spec.chain[:num_pictures]:
                    return Reuse(key, num_pictures)
        return None

    def touch_source(self, key: PrefixKey) -> None:
        """Note that what a prefix can continue from is worth keeping."""
        if reuse := self.match(self._entries[key].spec):
            self._touch(self._entries[reuse.source])

    def fits(self, num_bytes: int) -> bool:
        """Whether a prefix of this size could ever be held."""
        return num_bytes <= self.budget_bytes

    def has_room(self, key: PrefixKey, sequence_id: SequenceId) -> bool:
        """Whether a prefix's buffer is large enough for a sequence."""
        entry = self._entries[key]
        return entry.num_bytes >= entry.needs[sequence_id]

    def find_room(
        self, key: PrefixKey, sequence_id: SequenceId, *, may_take: frozenset[SequenceId] = frozenset()
    ) -> list[PrefixKey] | None:
        """Who would have to go so that a sequence has the memory it needs for a prefix; changes nothing.

        Args:
            key: the prefix.
            sequence_id: who needs it.
            may_take: sequences whose prefixes may be taken away; they are built again later.

        Returns:
            The victims, cheapest to lose first, or None when there is no room even so.
        """
        entry = self._entries[key]
        growth = max(entry.needs[sequence_id], entry.num_bytes) - entry.num_bytes
        missing = self.held_bytes + growth - self.budget_bytes
        victims: list[PrefixKey] = []
        for victim in self._evictable(key, may_take):
            if missing <= 0:
                break
            victims.append(victim)
            missing -= self._entries[victim].num_bytes
        return victims if missing <= 0 else None

    def take_room(self, key: PrefixKey, sequence_id: SequenceId, victims: list[PrefixKey]) -> None:
        """Evict `victims`, none of them pinned, and take the memory that a sequence needs for a prefix."""
        for victim in victims:
            self.let_go(victim)
        entry = self._entries[key]
        entry.num_bytes = max(entry.needs[sequence_id], entry.num_bytes)
        entry.is_held = True

    def finish(self, key: PrefixKey) -> None:
        """A prefix's keys and values stand now."""
        self._entries[key].is_ready = True

    def let_go(self, key: PrefixKey) -> None:
        """Give a prefix's memory back; who still needs it has it built again."""
        entry = self._entries[key]
        assert not entry.pins, key
        entry.is_held = entry.is_ready = False
        entry.num_bytes = 0
        if not entry.needs:
            self._keep_or_delete(entry)

    def check_integrity(self) -> None:
        """Assert that held, ready, pinned and wanted agree, and that the budget is kept."""
        assert self.held_bytes <= self.budget_bytes, (self.held_bytes, self.budget_bytes)
        for key, entry in self._entries.items():
            assert entry.pins <= entry.users, key
            assert entry.is_held or not entry.is_ready, key
            assert entry.is_ready or not entry.pins, key
            assert entry.needs or entry.is_held, key
            assert entry.is_held == bool(entry.num_bytes), key

    def _evictable(self, wanted: PrefixKey, may_take: frozenset[SequenceId]) -> list[PrefixKey]:
        """Victims in order: unwanted before wanted, waited for before run on, doubled before single, old before new."""
        free = [
            entry
            for key, entry in self._entries.items()
            if entry.is_ready and key != wanted and entry.users <= may_take
        ]
        free.sort(key=lambda e: (bool(e.needs), bool(e.pins), not self._is_doubled(e), e.used_at))
        return [entry.spec.key for entry in free]

    def _is_doubled(self, entry: PrefixEntry) -> bool:
        """Whether another ready entry holds the same pictures, so that losing this one loses only a few words."""
        pictures = entry.spec.chain[:-1]
        return bool(pictures) and any(
            other is not entry and other.is_ready and other.spec.chain[: len(pictures)] == pictures
            for other in self._entries.values()
        )

    def _keep_or_delete(self, entry: PrefixEntry) -> None:
        """Nobody needs the entry: keep what is held for reuse, without the pictures it was built from."""
        if entry.is_held:
            entry.spec = replace(entry.spec, pictures=())
        else:
            del self._entries[entry.spec.key]

    def _touch(self, entry: PrefixEntry) -> None:
        self._count += 1
        entry.used_at = self._count
