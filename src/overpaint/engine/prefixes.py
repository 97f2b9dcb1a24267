"""Prefixes under construction and standing: encode, run in chunks, keep, reuse. Holds their tensors, decides nothing.

A build goes through units of work, one per call: first its pictures and words through VAE and encoder, then chunks of
the transformer. What it can continue from is copied at its beginning.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from torch import Tensor

from overpaint.engine.job import AdapterUse, PrefixKey, PrefixSpec
from overpaint.engine.plan import PrefixWork
from overpaint.engine.prefix_index import Reuse
from overpaint.model.conditioner import Condition, Conditioner, EncoderMemory
from overpaint.model.layout import Segment
from overpaint.model.lora import AdapterMix
from overpaint.model.prefix_cache import PrefixCache
from overpaint.model.references import Reference, prepare_reference
from overpaint.model.transformer import PackedTransformer, PrefixInput
from overpaint.model.vae import PictureCodec

_T = TypeVar("_T")
_KEPT_PICTURES = 64


@dataclass(frozen=True, slots=True)
class StandingPrefix:
    """A complete prefix: the transformer's keys and values, and the encoder's."""

    cache: PrefixCache
    memory: EncoderMemory


@dataclass(slots=True)
class _Build:
    condition: Condition
    cache: PrefixCache
    latents: tuple[Tensor, ...]
    adapters: AdapterMix
    todo: list[Segment]
    num_text_done: int = 0
    num_pictures_done: int = field(default=0)


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
        self._standing: dict[PrefixKey, StandingPrefix] = {}
        self._builds: dict[PrefixKey, _Build] = {}
        self._latents: OrderedDict[str, Tensor] = OrderedDict()

    @property
    def held_keys(self) -> frozenset[PrefixKey]:
        """Prefixes that take memory."""
        return frozenset(self._standing) | frozenset(self._builds)

    def __getitem__(self, key: PrefixKey) -> PrefixCache:
        """The keys and values of a standing prefix."""
        return self._standing[key].cache

    def release(self, key: PrefixKey) -> None:
        """Forget a prefix, built or half built."""
        self._standing.pop(key, None)
        self._builds.pop(key, None)

    def is_begun(self, key: PrefixKey) -> bool:
        """Whether its pictures and words were read."""
        return key in self._builds

    def begin(self, spec: PrefixSpec, reuse: Reuse | None, target_tokens: int) -> int:
        """Read a prefix's pictures and words, or what is new of them; returns how many tokens were copied."""
        source = self._standing[reuse.source] if reuse else None
        num_known = reuse.num_pictures if reuse else 0
        references = [prepare_reference(picture, self._reference_area) for picture in spec.pictures]
        new = list(zip(spec.picture_keys, references, strict=True))[num_known:]
        latents = tuple(self._encode(key, reference) for key, reference in new)
        condition = self._conditioner.encode(spec.words, references, source.memory if source else None, num_known)
        cache = self._transformer.new_cache(condition.layout, target_tokens)
        todo = list(condition.layout.segments[condition.first_segment :])
        if source:
            cache.copy_from(source.cache, todo[0].start)
        self._builds[spec.key] = _Build(condition, cache, latents, self._mix(spec.adapters), todo)
        return todo[0].start

    def num_tokens(self, key: PrefixKey) -> int:
        """Tokens of a begun or standing prefix."""
        cache = self._builds[key].cache if key in self._builds else self._standing[key].cache
        return cache.layout.num_tokens

    def is_standing(self, key: PrefixKey) -> bool:
        """Whether a prefix is complete."""
        return key in self._standing

    def advance(self, work: PrefixWork) -> int:
        """Run the next chunk of a begun prefix, after which it may stand; returns its tokens."""
        build = self._builds[work.spec.key]
        chunk = _next_chunk(build, work.max_tokens)
        self._transformer.prefill([chunk])
        if not build.todo:
            del self._builds[work.spec.key]
            self._standing[work.spec.key] = StandingPrefix(build.cache, build.condition.memory)
        return chunk.num_tokens

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
    txt = build.condition.txt[build.num_text_done : build.num_text_done + num_text]
    latents = build.latents[build.num_pictures_done : build.num_pictures_done + num_pictures]
    build.num_text_done += num_text
    build.num_pictures_done += num_pictures
    return PrefixInput(tuple(chunk), txt, latents, build.cache, build.adapters)


def _remember(kept: "OrderedDict[str, _T]", key: str, make: Callable[[], _T]) -> _T:
    if key not in kept:
        kept[key] = make()
    kept.move_to_end(key)
    if len(kept) > _KEPT_PICTURES:
        kept.popitem(last=False)
    return kept[key]
