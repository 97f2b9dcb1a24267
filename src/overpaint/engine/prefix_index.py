"""Which blocks of prefixes are held and where, and what a new prefix finds standing. Torch-free.

Prefixes are paths in a tree: a block for each picture, then one for the words. A block is the unit of memory, and
prefixes that begin with the same pictures share theirs. What nobody uses stays until room is needed, oldest first and
leaves before what they stand on; what runs is pinned; what only waits may be taken for something more urgent and is
built again. What has to leave the device goes to the host's memory, where it has room there, and comes back from it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from overpaint.engine.job import BlockKey, BlockSpec, PrefixKey, PrefixSpec, SequenceId
from overpaint.engine.wants import Wants


@dataclass(slots=True)
class HeldBlock:
    """A block for which memory is taken.

    Args:
        key: its name.
        parent: the block before it; None for the first.
        depth: blocks before it.
        num_bytes: what it takes, on the device or in the host's memory.
        is_ready: its keys and values stand.
        is_on_host: it left the device.
        used_at: when it was last needed, in the index's own count.
    """

    key: BlockKey
    parent: BlockKey | None
    depth: int
    num_bytes: int
    is_ready: bool = False
    is_on_host: bool = False
    used_at: int = 0

    @property
    def is_standing(self) -> bool:
        """Whether a step can read it."""
        return self.is_ready and not self.is_on_host


@dataclass(frozen=True, slots=True)
class Moves:
    """What has to leave the device.

    Args:
        release: blocks that are forgotten, of the host's memory too.
        spill: blocks that go to the host's memory.
    """

    release: tuple[BlockKey, ...] = ()
    spill: tuple[BlockKey, ...] = ()


class PrefixIndex:
    """All prefixes of one device.

    Args:
        budget_bytes: memory of the device for all blocks together.
        bytes_of: what a block takes.
        host_bytes: memory of the host for blocks that had to leave.

    Attributes:
        wants: who needs which prefixes.
    """

    def __init__(self, budget_bytes: int, bytes_of: Callable[[BlockSpec], int], host_bytes: int = 0) -> None:
        self.budget_bytes = budget_bytes
        self.host_bytes = host_bytes
        self._bytes_of = bytes_of
        self._blocks: dict[BlockKey, HeldBlock] = {}
        self.wants = Wants()
        self._count = 0

    @property
    def held_bytes(self) -> int:
        """Bytes taken on the device."""
        return sum(block.num_bytes for block in list(self._blocks.values()) if not block.is_on_host)

    @property
    def held_host_bytes(self) -> int:
        """Bytes taken in the host's memory."""
        return sum(block.num_bytes for block in list(self._blocks.values()) if block.is_on_host)

    @property
    def held_keys(self) -> frozenset[BlockKey]:
        """Blocks for which memory is taken, anywhere."""
        return frozenset(self._blocks)

    @property
    def unbuilt_keys(self) -> frozenset[BlockKey]:
        """Blocks for which memory is taken and which do not stand yet."""
        return frozenset(key for key, block in self._blocks.items() if not block.is_ready)

    def want(self, spec: PrefixSpec, sequence_id: SequenceId) -> None:
        """Note that a sequence needs a prefix."""
        self.wants.add(spec, sequence_id)
        self.touch(spec)

    def is_standing(self, key: PrefixKey) -> bool:
        """Whether a prefix can be read; the blocks before its last then stand as well."""
        return key in self._blocks and self._blocks[key].is_standing

    def pin(self, key: PrefixKey, sequence_id: SequenceId) -> None:
        """Keep a standing prefix while a sequence runs on it."""
        assert self.is_standing(key), key
        self.wants.pin(key, sequence_id)
        self.touch(self.wants.spec_of(key))

    def touch(self, spec: PrefixSpec) -> None:
        """Note that what is held of a prefix is worth keeping."""
        self._count += 1
        for block in self._held_of(spec):
            block.used_at = self._count

    def count_missing(self, spec: PrefixSpec) -> int:
        """Tokens of a prefix that have to be computed: they neither stand nor lie in the host's memory."""
        return sum(block.num_tokens for block in self._missing(spec))

    def count_new(self, spec: PrefixSpec) -> int:
        """Those of them that nobody else is going to have computed either."""
        return sum(block.num_tokens for block in self._missing(spec) if not self.wants.has(block.key))

    def find_room(self, key: PrefixKey, may_take: frozenset[SequenceId] = frozenset()) -> list[BlockKey] | None:
        """Which blocks would have to go so that a prefix has the memory it needs; changes nothing.

        Args:
            key: the prefix.
            may_take: sequences whose prefixes may be taken away; they are built again later.

        Returns:
            The victims, cheapest to lose first, or None when there is no room even so.
        """
        spec = self.wants.spec_of(key)
        missing = self.held_bytes + self._growth(spec) - self.budget_bytes
        free = self._evictable(spec, may_take) if missing > 0 else []
        return _first_to_fill(free, missing) if missing <= sum(block.num_bytes for block in free) else None

    def take_room(self, key: PrefixKey, victims: list[BlockKey]) -> Moves:
        """Evict `victims`, none of them pinned, and take the memory that a prefix needs."""
        spec = self.wants.spec_of(key)
        release: list[BlockKey] = []
        for victim in victims:
            if victim in self._blocks:  # it may have gone with what it stood on
                release += self._leave_device(self._blocks[victim], spec)
        parent: BlockKey | None = None
        for depth, block in enumerate(spec.blocks):
            held = self._blocks.setdefault(block.key, HeldBlock(block.key, parent, depth, self._bytes_of(block)))
            if held.is_on_host:
                held.is_on_host = held.is_ready = False  # until its copy on the device stands
            parent = block.key
        self.touch(spec)
        return Moves(tuple(release), tuple(key for key in victims if key in self._blocks))

    def finish(self, key: PrefixKey) -> None:
        """All of a prefix stands now."""
        for block in self._held_of(self.wants.spec_of(key)):
            block.is_ready = True

    def lose(self, key: BlockKey) -> tuple[BlockKey, ...]:
        """Forget a block that did not reach the host's memory, and what stands on it; the blocks that are gone."""
        return tuple(self._drop(key))

    def abandon(self) -> tuple[BlockKey, ...]:
        """Give back the memory of what was under construction; the blocks that are gone."""
        return tuple(gone for key in self.unbuilt_keys for gone in self._drop(key))

    def check_integrity(self) -> None:
        """Assert that the budgets are kept, that no block hangs in the air, and that what runs stands."""
        assert self.held_bytes <= self.budget_bytes, (self.held_bytes, self.budget_bytes)
        assert self.held_host_bytes <= self.host_bytes, (self.held_host_bytes, self.host_bytes)
        for key, block in self._blocks.items():
            parent = self._blocks[block.parent] if block.parent else None
            assert parent is None or parent.used_at >= block.used_at, key
            assert parent is None or block.is_on_host or not parent.is_on_host, key
            assert parent is None or parent.is_ready or not block.is_standing, key
            assert block.is_ready or not block.is_on_host, key
        self.wants.check_integrity()
        assert all(map(self.is_standing, self.wants.pinned)), self.wants.pinned

    def _held_of(self, spec: PrefixSpec) -> list[HeldBlock]:
        return [self._blocks[key] for key in _chain(spec) if key in self._blocks]

    def _missing(self, spec: PrefixSpec) -> list[BlockSpec]:
        ready = {block.key for block in self._held_of(spec) if block.is_ready}
        return [block for block in spec.blocks if block.key not in ready]

    def _growth(self, spec: PrefixSpec) -> int:
        """Bytes of the device that a prefix needs beyond what it has there."""
        present = {block.key for block in self._held_of(spec) if not block.is_on_host}
        return sum(self._bytes_of(block) for block in spec.blocks if block.key not in present)

    def _evictable(self, spec: PrefixSpec, may_take: frozenset[SequenceId]) -> list[HeldBlock]:
        """Victims in order: unwanted before wanted, waited for before run on, old before new, leaves before trunks."""
        kept, wants = set(_chain(spec)), self.wants
        free = [
            block
            for key, block in self._blocks.items()
            if block.is_standing and key not in kept and wants.is_only_of(key, may_take)
        ]
        free.sort(key=lambda block: (wants.has(block.key), wants.has_pinned(block.key), *_age(block)))
        return free

    def _leave_device(self, block: HeldBlock, spec: PrefixSpec) -> list[BlockKey]:
        """Let a block go to the host, or drop it when it does not fit there; the blocks that are gone for it."""
        coming = {held.key for held in self._held_of(spec) if held.is_on_host}
        old = sorted((b for b in self._blocks.values() if b.is_on_host and b.key not in coming), key=_age)
        room = self.host_bytes - self.held_host_bytes
        if block.num_bytes > room + sum(other.num_bytes for other in old):
            return self._drop(block.key)
        block.is_on_host = True
        return [gone for key in _first_to_fill(old, block.num_bytes - room) for gone in self._drop(key)]

    def _drop(self, key: BlockKey) -> list[BlockKey]:
        """Forget a block and whatever stands on it; the blocks that are gone."""
        if self._blocks.pop(key, None) is None:
            return []
        children = [child.key for child in self._blocks.values() if child.parent == key]
        return [key, *(gone for child in children for gone in self._drop(child))]


def _chain(spec: PrefixSpec) -> list[BlockKey]:
    return [block.key for block in spec.blocks]


def _age(block: HeldBlock) -> tuple[int, int]:
    """Sorts the old before the new, and of equals the leaves before what they stand on."""
    return block.used_at, -block.depth


def _first_to_fill(blocks: Iterable[HeldBlock], num_bytes: int) -> list[BlockKey]:
    """As many of the first blocks as have so many bytes."""
    taken: list[BlockKey] = []
    for block in blocks:
        if num_bytes <= 0:
            break
        taken.append(block.key)
        num_bytes -= block.num_bytes
    return taken
