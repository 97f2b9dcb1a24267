"""Prefixes under construction and standing: encode, run in chunks, keep, reuse. Holds their tensors, decides nothing.

A build goes through units of work, one per call: first its pictures and words through the encoder, then chunks of the
transformer, their pictures through the VAE before them. It begins behind the blocks that are there already, on the
device or in the host's memory. What reading a picture takes before it comes to the device may be done by other threads.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overpaint.engine.job import AdapterUse, BlockKey, PrefixKey, PrefixSpec
from overpaint.engine.plan import PrefixWork
from overpaint.model.conditioner import Conditioner, EncoderMemory
from overpaint.model.inputs import PrefixInput
from overpaint.model.layout import PrefixLayout, Segment
from overpaint.model.lora import AdapterMix
from overpaint.model.prefix_cache import PrefixBlock, PrefixCache
from overpaint.model.references import ReadyReference, Reference, prepare_reference, to_vae
from overpaint.model.transformer import AbandonedError, PackedTransformer
from overpaint.model.vae import PictureCodec

_T = TypeVar("_T")
_KEPT_PICTURES = 64
_READY_PIXELS = 32 * 2**20
"""Of pictures that wait, ready to be read, at most; they take 40 bytes each."""
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
class _Place:
    num_pixels: int
    picture: ReadyReference | None = None


@dataclass(slots=True)
class _Build:
    cache: PrefixCache
    todo: list[Segment]
    txt: Tensor
    pictures: list[tuple[str, NDArray[np.float32]]]
    adapters: AdapterMix
    kept: dict[BlockKey, KeptBlock]


class _ReadyPictures:
    """Pictures made ready for prefixes that are not begun, for as long as somebody may want those. For any thread."""

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
        self._ready = _ReadyPictures()

    @property
    def held_keys(self) -> frozenset[BlockKey]:
        """Blocks that take memory."""
        building = {key for build in list(self._builds.values()) for key in build.kept}
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

    def prepare(self, spec: PrefixSpec) -> None:
        """Make those pictures of a prefix ready that `begin` would have to, while there is room for them."""
        held = self.held_keys
        for block, reference in zip(spec.blocks, self._references(spec), strict=False):  # the last block is the words'
            if block.key not in held and self._ready.reserve(spec, block.key, reference.size.area):
                with suppress(Exception):  # `begin` will fail in the same way, and that is told
                    self._ready.put(spec, block.key, self._conditioner.prepare(reference))

    def begin(self, spec: PrefixSpec) -> None:
        """Read a prefix's pictures and words, or what is new of them; where nothing is, it stands at once."""
        ready = self._ready.take(spec)
        known = self._bring_back(spec)
        if known and known[-1].layout:
            self._standing[spec.key] = PrefixCache(known[-1].layout, [kept.block for kept in known])
            return
        references, names = self._references(spec), [block.key for block in spec.blocks[len(known) :]]
        new = [
            ready.get(name) or self._conditioner.prepare(reference)
            for name, reference in zip(names, references[len(known) :], strict=False)  # the last name is the words'
        ]
        memories = [kept.memory for kept in known if kept.memory]
        condition = self._conditioner.encode(spec.words, references, memories, [picture.patches for picture in new])
        cache = self._transformer.new_cache(condition.layout, [kept.block for kept in known])
        *shown, said = cache.blocks[len(known) :]
        kept = [KeptBlock(block, memory) for block, memory in zip(shown, condition.memories, strict=True)]
        kept.append(KeptBlock(said, layout=condition.layout))
        start = cache.blocks[len(known)].start
        todo = [segment for segment in condition.layout.segments if segment.start >= start]
        pictures = list(zip(spec.picture_keys[len(known) :], [picture.samples for picture in new], strict=True))
        mix, named = self._mix(spec.adapters), dict(zip(names, kept, strict=True))
        self._builds[spec.key] = _Build(cache, todo, condition.txt, pictures, mix, named)

    def encode_pictures(self, work: PrefixWork) -> None:
        """Have the latents of those pictures that `advance` will run next; it would encode them itself."""
        build = self._builds[work.spec.key]
        for key, samples in build.pictures[: _num_pictures(_next_chunk(build.todo, work.max_tokens))]:
            self._encode(key, samples)

    def advance(self, work: PrefixWork, is_wanted: Callable[[], bool] = lambda: True) -> int:
        """Run the next chunk of a begun prefix, after which it may stand; returns its tokens.

        Raises:
            AbandonedError: it is not wanted any more; whoever wants it later has to begin it again.
        """
        key = work.spec.key
        build = self._builds[key]
        chunk = self._take_chunk(build, work.max_tokens)
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

    def _references(self, spec: PrefixSpec) -> list[Reference]:
        return [prepare_reference(picture, self._reference_area) for picture in spec.pictures]

    def _take_chunk(self, build: _Build, max_tokens: int) -> PrefixInput:
        """The next chunk, taken off what is to do."""
        chunk = _next_chunk(build.todo, max_tokens)
        num_text = sum(segment.num_tokens for segment in chunk if not segment.grid)
        pictures = build.pictures[: _num_pictures(chunk)]
        latents = tuple(self._encode(key, samples) for key, samples in pictures)
        del build.todo[: len(chunk)], build.pictures[: len(pictures)]
        txt, build.txt = build.txt[:num_text], build.txt[num_text:]
        return PrefixInput(tuple(chunk), txt, latents, build.cache, build.adapters)

    def _encode(self, key: str, samples: NDArray[np.float32]) -> Tensor:
        """A picture's latents, kept for its next use in any prefix."""
        return _remember(self._latents, key, lambda: self._codec.encode(to_vae(samples)))


def _next_chunk(todo: Sequence[Segment], max_tokens: int) -> list[Segment]:
    """The first of the segments that are to do: as many as fit, at least one."""
    return [todo[0], *takewhile(lambda segment: segment.end - todo[0].start <= max_tokens, todo[1:])]


def _num_pictures(chunk: Sequence[Segment]) -> int:
    return sum(segment.grid is not None for segment in chunk)


def _remember(kept: "OrderedDict[str, _T]", key: str, make: Callable[[], _T]) -> _T:
    if key not in kept:
        kept[key] = make()
    kept.move_to_end(key)
    if len(kept) > _KEPT_PICTURES:
        kept.popitem(last=False)
    return kept[key]
