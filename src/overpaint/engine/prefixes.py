"""Prefixes under construction and standing: encode, run in chunks, keep, reuse. Holds their tensors, decides nothing.

A build goes through units of work, one per call: first its pictures and words through VAE and encoder, then chunks of
the transformer. It begins behind the blocks that are there already, on the device or in the host's memory.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TypeVar

import torch
from torch import Tensor

from overpaint.engine.job import AdapterUse, BlockKey, PrefixKey, PrefixSpec
from overpaint.engine.plan import PrefixWork
from overpaint.model.conditioner import Conditioner, EncoderMemory
from overpaint.model.inputs import PrefixInput
from overpaint.model.layout import PrefixLayout, Segment
from overpaint.model.lora import AdapterMix
from overpaint.model.prefix_cache import PrefixBlock, PrefixCache
from overpaint.model.references import Reference, prepare_reference
from overpaint.model.transformer import AbandonedError, PackedTransformer
from overpaint.model.vae import PictureCodec

_T = TypeVar("_T")
_KEPT_PICTURES = 64
_HOST = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class KeptBlock:
    """What is kept of one picture, or of the words.

    Args:
        block: the transformer's keys and values.
        memory: the encoder's, of a picture.
        layout: of the whole prefix, of words.
    """

    block: PrefixBlock
    memory: EncoderMemory | None = None
    layout: PrefixLayout | None = None

    @property
    def num_bytes(self) -> int:
        """Bytes held."""
        return self.block.num_bytes + (self.memory.num_bytes if self.memory else 0)

    def moved(self, device: torch.device) -> "KeptBlock":
        """The same on another device."""
        return KeptBlock(self.block.moved(device), self.memory and self.memory.moved(device), self.layout)


@dataclass(slots=True)
class _Build:
    cache: PrefixCache
    todo: list[Segment]
    txt: Tensor
    latents: tuple[Tensor, ...]
    adapters: AdapterMix
    kept: dict[BlockKey, KeptBlock]


class Prefixes:
    """The prefixes of one device.

    Args:
        conditioner: reads words and pictures.
        codec: encodes pictures.
        transformer: runs prefixes.
        reference_area: pixels that references are resized to.
        mix: gives the adapters of a prefix.
    """

    def __init__(
        self,
        conditioner: Conditioner,
        codec: PictureCodec,
        transformer: PackedTransformer,
        reference_area: int,
        mix: Callable[[Sequence[AdapterUse]], AdapterMix] = lambda _: (),
    ) -> None:
        self._conditioner = conditioner
        self._codec = codec
        self._transformer = transformer
        self._reference_area = reference_area
        self._mix = mix
        self._blocks: dict[BlockKey, KeptBlock] = {}
        self._on_host: dict[BlockKey, KeptBlock] = {}
        self._standing: dict[PrefixKey, PrefixCache] = {}
        self._builds: dict[PrefixKey, _Build] = {}
        self._latents: OrderedDict[str, Tensor] = OrderedDict()

    @property
    def held_keys(self) -> frozenset[BlockKey]:
        """Blocks that take memory."""
        building = {key for build in self._builds.values() for key in build.kept}
        return frozenset(self._blocks) | frozenset(self._on_host) | building

    @property
    def num_bytes(self) -> int:
        """Bytes of the device that finished blocks take."""
        return sum(kept.num_bytes for kept in self._blocks.values())

    def __getitem__(self, key: PrefixKey) -> PrefixCache:
        """The keys and values of a standing prefix."""
        return self._standing[key]

    def release(self, key: BlockKey) -> None:
        """Forget a block, built or half built, wherever it is, and the prefix that is named after it."""
        for held in (self._blocks, self._on_host, self._standing, self._builds):
            held.pop(key, None)

    def spill(self, key: BlockKey) -> None:
        """Move a block to the host's memory."""
        self._standing.pop(key, None)
        self._on_host[key] = self._blocks.pop(key).moved(_HOST)

    def is_begun(self, key: PrefixKey) -> bool:
        """Whether its pictures and words were read."""
        return key in self._builds

    def is_standing(self, key: PrefixKey) -> bool:
        """Whether a prefix is complete."""
        return key in self._standing

    def begin(self, spec: PrefixSpec) -> int:
        """Read a prefix's pictures and words, or what is new of them; returns how many tokens were there already."""
        known = self._bring_back(spec)
        if known and known[-1].layout:
            self._standing[spec.key] = PrefixCache(known[-1].layout, [kept.block for kept in known])
            return spec.num_tokens
        references = [prepare_reference(picture, self._reference_area) for picture in spec.pictures]
        new = list(zip(spec.picture_keys, references, strict=True))[len(known) :]
        latents = tuple(self._encode(key, reference) for key, reference in new)
        memories = [kept.memory for kept in known if kept.memory]
        condition = self._conditioner.encode(spec.words, references, memories)
        cache = self._transformer.new_cache(condition.layout, [kept.block for kept in known])
        *shown, said = cache.blocks[len(known) :]
        kept = [KeptBlock(block, memory) for block, memory in zip(shown, condition.memories, strict=True)]
        kept.append(KeptBlock(said, layout=condition.layout))
        names = [block.key for block in spec.blocks[len(known) :]]
        start = cache.blocks[len(known)].start
        todo = [segment for segment in condition.layout.segments if segment.start >= start]
        mix, named = self._mix(spec.adapters), dict(zip(names, kept, strict=True))
        self._builds[spec.key] = _Build(cache, todo, condition.txt, latents, mix, named)
        return start

    def advance(self, work: PrefixWork, is_wanted: Callable[[], bool] = lambda: True) -> int:
        """Run the next chunk of a begun prefix, after which it may stand; returns its tokens.

        Raises:
            AbandonedError: it is not wanted any more; whoever wants it later has to begin it again.
        """
        key = work.spec.key
        build = self._builds[key]
        chunk = _next_chunk(build, work.max_tokens)
        try:
            self._transformer.prefill([chunk], is_wanted)
        except AbandonedError:
            del self._builds[key]
            raise
        if not build.todo:
            self._blocks.update(self._builds.pop(key).kept)
            self._standing[key] = build.cache
        return chunk.num_tokens

    def _bring_back(self, spec: PrefixSpec) -> list[KeptBlock]:
        """The first blocks of a prefix that are there, all of them on the device then."""
        names = [block.key for block in spec.blocks]
        known = list(takewhile(lambda name: name in self._blocks or name in self._on_host, names))
        for name in known:
            if name in self._on_host:
                self._blocks[name] = self._on_host.pop(name).moved(self._transformer.device)
        return [self._blocks[name] for name in known]

    def _encode(self, key: str, reference: Reference) -> Tensor:
        """A picture's latents, kept for its next use in any prefix."""
        return _remember(self._latents, key, lambda: self._codec.encode(reference.for_vae()))


def _next_chunk(build: _Build, max_tokens: int) -> PrefixInput:
    """Take segments off the front of what is to do: as many as fit, at least one."""
    chunk: list[Segment] = [build.todo.pop(0)]
    while build.todo and build.todo[0].end - chunk[0].start <= max_tokens:
        chunk.append(build.todo.pop(0))
    num_text = sum(segment.num_tokens for segment in chunk if not segment.grid)
    num_pictures = sum(segment.grid is not None for segment in chunk)
    txt, build.txt = build.txt[:num_text], build.txt[num_text:]
    latents, build.latents = build.latents[:num_pictures], build.latents[num_pictures:]
    return PrefixInput(tuple(chunk), txt, latents, build.cache, build.adapters)


def _remember(kept: "OrderedDict[str, _T]", key: str, make: Callable[[], _T]) -> _T:
    if key not in kept:
        kept[key] = make()
    kept.move_to_end(key)
    if len(kept) > _KEPT_PICTURES:
        kept.popitem(last=False)
    return kept[key]
