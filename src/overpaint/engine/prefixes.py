"""Prefixes under construction and standing: encode, run in chunks, keep, reuse. Holds their tensors, decides nothing.

A build goes through units of work, one per call: the next blocks are read by encoder and VAE, then run. It begins
behind the blocks that are there already, on the device or in the host's memory. What reading a picture takes before it
comes to the device may be done by other threads.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overpaint.core.picture import Picture
from overpaint.engine.job import AdapterUse, BlockKey, PrefixKey, PrefixSpec
from overpaint.engine.plan import PrefixWork
from overpaint.engine.ready_pictures import ReadyPictures
from overpaint.model.conditioner import Conditioner, EncoderMemory, Prompt
from overpaint.model.inputs import PrefixInput
from overpaint.model.layout import PrefixLayout
from overpaint.model.lora import AdapterMix
from overpaint.model.prefix_cache import PrefixBlock, PrefixCache
from overpaint.model.references import ReadyReference, Reference, prepare_reference, to_vae
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
    """A prefix under construction.

    Args:
        spec: which one.
        prompt: what the encoder reads.
        cache: what the transformer fills.
        ready: pictures that need not be made ready any more.
        adapters: what the transformer is changed by.
        kept: of each block that was there or was read, in order.
        chunk: what was read and not run.
    """

    spec: PrefixSpec
    prompt: Prompt
    cache: PrefixCache
    ready: dict[BlockKey, ReadyReference]
    adapters: AdapterMix
    kept: list[KeptBlock]
    chunk: PrefixInput | None = None

    @property
    def is_read(self) -> bool:
        """Whether all of it was read."""
        return len(self.kept) == len(self.cache.blocks)

    def next_blocks(self, max_tokens: int) -> list[PrefixBlock]:
        """The first of the blocks that were not read: as many as fit, at least one."""
        first, *others = self.cache.blocks[len(self.kept) :]
        return [first, *takewhile(lambda block: block.end - first.start <= max_tokens, others)]


class Prefixes:
    """The prefixes of one device. `prepare` may be called from any thread, the rest from the engine's.

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
        self._ready = ReadyPictures()

    @property
    def held_keys(self) -> frozenset[BlockKey]:
        """Blocks that take memory."""
        building = {block.key for build in list(self._builds.values()) for block in build.spec.blocks}
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
        """Whether it is under construction."""
        return key in self._builds

    def is_standing(self, key: PrefixKey) -> bool:
        """Whether a prefix is complete."""
        return key in self._standing

    def prepare(self, spec: PrefixSpec) -> None:
        """Make those pictures of a prefix ready that `read` would have to, while there is room for them."""
        held = self.held_keys
        for block, reference in zip(spec.blocks, self._references(spec), strict=False):  # the last block is the words'
            if block.key not in held and self._ready.reserve(spec, block.key, reference.size.area):
                with suppress(Exception):  # `read` will fail in the same way, and that is told
                    self._ready.put(spec, block.key, self._conditioner.prepare(reference))

    def begin(self, spec: PrefixSpec) -> None:
        """Bring back what is known of a prefix; where that is all, it stands at once."""
        ready = self._ready.take(spec)
        known = self._bring_back(spec)
        if known and known[-1].layout:
            self._standing[spec.key] = PrefixCache(known[-1].layout, [kept.block for kept in known])
            return
        prompt = self._conditioner.lay_out(spec.words, self._references(spec))
        cache = self._transformer.new_cache(prompt.layout, [kept.block for kept in known])
        self._builds[spec.key] = _Build(spec, prompt, cache, ready, self._mix(spec.adapters), known)

    def read(self, work: PrefixWork) -> None:
        """Have encoder and VAE read what `advance` will run next; it would do so itself."""
        build = self._builds[work.spec.key]
        if build.chunk is None:
            build.chunk = self._read(build, work.max_tokens)

    def advance(self, work: PrefixWork, is_wanted: Callable[[], bool] = lambda: True) -> int:
        """Run the next chunk of a begun prefix, after which it may stand; returns its tokens.

        Raises:
            AbandonedError: it is not wanted any more; whoever wants it later has to begin it again.
        """
        key = work.spec.key
        build = self._builds[key]
        chunk, build.chunk = build.chunk or self._read(build, work.max_tokens), None
        try:
            self._transformer.prefill([chunk], is_wanted)
        except AbandonedError:
            del self._builds[key]
            raise
        if build.is_read:
            del self._builds[key]
            self._blocks.update(zip((block.key for block in build.spec.blocks), build.kept, strict=True))
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

    def _references(self, spec: PrefixSpec) -> list[Reference]:
        return [self._reference(picture) for picture in spec.pictures]

    def _reference(self, picture: Picture) -> Reference:
        return prepare_reference(picture, self._reference_area)

    def _read(self, build: _Build, max_tokens: int) -> PrefixInput:
        """The next blocks of a prefix, read: all that the transformer needs to run them."""
        first, blocks = len(build.kept), build.next_blocks(max_tokens)
        end = first + len(blocks)
        pictures = [self._picture(build, index) for index in range(first, min(end, len(build.spec.pictures)))]
        known = [kept.memory for kept in build.kept if kept.memory]
        has_words = end == len(build.cache.blocks)
        condition = self._conditioner.encode(
            build.prompt, [picture.patches for picture in pictures], known, has_words=has_words
        )
        keys = build.spec.picture_keys[first:]
        latents = tuple(self._encode(key, picture.samples) for key, picture in zip(keys, pictures, strict=False))
        build.kept += map(KeptBlock, blocks, condition.memories)
        if has_words:
            build.kept.append(KeptBlock(blocks[-1], layout=build.prompt.layout))
        inside = range(blocks[0].start, blocks[-1].end)
        segments = tuple(segment for segment in build.prompt.layout.segments if segment.start in inside)
        return PrefixInput(segments, condition.txt, latents, build.cache, build.adapters)

    def _picture(self, build: _Build, index: int) -> ReadyReference:
        """A picture of a prefix, made ready if nobody did so before."""
        ready = build.ready.pop(build.spec.blocks[index].key, None)
        return ready or self._conditioner.prepare(self._reference(build.spec.pictures[index]))

    def _encode(self, key: str, samples: NDArray[np.float32]) -> Tensor:
        """A picture's latents, kept for its next use in any prefix."""
        return _remember(self._latents, key, lambda: self._codec.encode(to_vae(samples)))


def _remember(kept: "OrderedDict[str, _T]", key: str, make: Callable[[], _T]) -> _T:
    if key not in kept:
        kept[key] = make()
    kept.move_to_end(key)
    if len(kept) > _KEPT_PICTURES:
        kept.popitem(last=False)
    return kept[key]
