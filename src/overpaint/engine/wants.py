"""Which sequences need which prefixes, and which of them run. Torch-free; knows nothing of what is held.

A block is asked about as often as a prefix, and there may be thousands who wait: so every answer is looked up by it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from overpaint.engine.job import BlockKey, PrefixKey, PrefixSpec, SequenceId


@dataclass(slots=True)
class _Wanted:
    """A prefix that sequences need: which ones, in order of arrival, and which of them run."""

    spec: PrefixSpec
    users: dict[SequenceId, None] = field(default_factory=dict)
    pins: set[SequenceId] = field(default_factory=set)


class Wants:
    """All prefixes that somebody needs."""

    def __init__(self) -> None:
        self._wanted: dict[PrefixKey, _Wanted] = {}
        self._prefixes: dict[BlockKey, set[PrefixKey]] = {}

    def add(self, spec: PrefixSpec, sequence_id: SequenceId) -> None:
        """A sequence needs a prefix."""
        if spec.key not in self._wanted:
            self._wanted[spec.key] = _Wanted(spec)
            for block in spec.blocks:
                self._prefixes.setdefault(block.key, set()).add(spec.key)
        self._wanted[spec.key].users[sequence_id] = None

    def remove(self, key: PrefixKey, sequence_id: SequenceId) -> None:
        """A sequence no longer needs a prefix."""
        wanted = self._wanted[key]
        wanted.users.pop(sequence_id, None)
        wanted.pins.discard(sequence_id)
        if not wanted.users:
            del self._wanted[key]
            for block in wanted.spec.blocks:
                self._prefixes[block.key].discard(key)
                if not self._prefixes[block.key]:
                    del self._prefixes[block.key]

    def pin(self, key: PrefixKey, sequence_id: SequenceId) -> None:
        """A sequence runs on a prefix."""
        self._wanted[key].pins.add(sequence_id)

    def unpin(self, key: PrefixKey, sequence_id: SequenceId) -> None:
        """The sequence waits again."""
        self._wanted[key].pins.discard(sequence_id)

    def spec_of(self, key: PrefixKey) -> PrefixSpec:
        """What a wanted prefix is."""
        return self._wanted[key].spec

    def users_of(self, key: PrefixKey) -> tuple[SequenceId, ...]:
        """Sequences that need a prefix, in order of arrival."""
        return tuple(self._wanted[key].users) if key in self._wanted else ()

    def pins_of(self, key: PrefixKey) -> frozenset[SequenceId]:
        """Sequences that run on a prefix."""
        return frozenset(self._wanted[key].pins)

    def has(self, block: BlockKey) -> bool:
        """Whether a block is part of a wanted prefix."""
        return block in self._prefixes

    def has_pinned(self, block: BlockKey) -> bool:
        """Whether a sequence runs on a block."""
        return any(self._wanted[key].pins for key in self._prefixes.get(block, ()))

    def wanting(self, blocks: Iterable[BlockKey]) -> set[SequenceId]:
        """Sequences whose prefixes contain one of these blocks."""
        prefixes = {key for block in blocks for key in self._prefixes.get(block, ())}
        return {user for key in prefixes for user in self._wanted[key].users}

    def is_only_of(self, block: BlockKey, sequence_ids: frozenset[SequenceId]) -> bool:
        """Whether nobody but these needs a block."""
        return all(self._wanted[key].users.keys() <= sequence_ids for key in self._prefixes.get(block, ()))

    def check_integrity(self) -> None:
        """Assert that every prefix has users, those who run among them, and that blocks know their prefixes."""
        for key, wanted in self._wanted.items():
            assert wanted.users, key
            assert wanted.pins <= set(wanted.users), key
        named = {(block.key, key) for key, wanted in self._wanted.items() for block in wanted.spec.blocks}
        assert named == {(block, key) for block, keys in self._prefixes.items() for key in keys}

    @property
    def pinned(self) -> tuple[PrefixKey, ...]:
        """Prefixes that sequences run on."""
        return tuple(key for key, wanted in self._wanted.items() if wanted.pins)
