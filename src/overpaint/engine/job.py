"""A request broken down into what the engine works on: prefixes to build and sequences to paint.

Torch-free and stateless. The engine's door: what depends on the loaded checkpoint is refused here.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from overpaint.core import Canvas, GenerationRequest, ModelInfo, Picture, RequestError, Terms
from overpaint.core.request import MAX_SEED, RANDOM_SEED, Acceleration, AdapterFile
from overpaint.core.sizes import Size, fit_area, plan_canvas
from overpaint.core.terms import DEFAULT_TERMS
from overpaint.model.prompt import IMAGE_PAD, PICTURE_MARKS, SYSTEM_TURN, ask_for_transparency, render_prompt

BlockKey = str
PrefixKey = BlockKey
"""Of its last block: every block is named after all that stands before it too."""
SequenceId = str
TOKEN_AREA = 16 * 16
"""Pixels under one latent token."""


@dataclass(frozen=True, slots=True)
class AdapterUse:
    """An adapter by its content, and the scale it is applied at."""

    digest: str
    scale: float


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """What one picture, with the words before it, or the words at the end add to a prefix.

    Args:
        key: hash over all of the prefix up to its end, the checkpoint, the adapters and the tenant included:
            equal hashes, equal keys and values.
        text_tokens: transformer tokens of its words.
        picture_tokens: and of its picture.
    """

    key: BlockKey
    text_tokens: int
    picture_tokens: int = 0

    @property
    def num_tokens(self) -> int:
        """All of its transformer tokens."""
        return self.text_tokens + self.picture_tokens


@dataclass(frozen=True, slots=True, weakref_slot=True)
class PrefixSpec:
    """Words and pictures whose keys and values are computed once.

    Args:
        blocks: one for each picture and one for the words.
        words: the instruction, or the negative one.
        pictures: references in order.
        picture_keys: hash of each picture alone, for what does not depend on its place; the tenant included.
        adapters: what the transformer is changed by.
    """

    blocks: tuple[BlockSpec, ...]
    words: str
    pictures: tuple[Picture, ...] = field(hash=False)  # the blocks' keys tell them apart in less time
    picture_keys: tuple[str, ...]
    adapters: tuple[AdapterUse, ...] = ()

    @property
    def key(self) -> PrefixKey:
        """Names the whole prefix; opaque to the scheduler."""
        return self.blocks[-1].key

    @property
    def num_tokens(self) -> int:
        """Transformer tokens it will have."""
        return sum(block.num_tokens for block in self.blocks)

    @property
    def picture_tokens(self) -> int:
        """Those of them that are pictures'."""
        return sum(block.picture_tokens for block in self.blocks)


@dataclass(frozen=True, slots=True)
class SequenceSpec:
    """One picture to paint.

    Args:
        sequence_id: names it.
        task_id: whose it is.
        index: which of the task's pictures.
        seed: of its noise.
        prefixes: the positive prefix, and under guidance the negative one, which is another.
        num_steps: denoising steps.
        true_cfg_scale: strength of guidance; without effect when there is one prefix.
        canvas: what to paint and what to deliver.
        acceleration: how much of the work of steps that change little may be left out.
        inpaint: the picture to repaint and where (white), if it is not to be painted whole.
        terms: for whom and how urgently.
        adapters: what the transformer is changed by, as in its prefixes.
    """

    sequence_id: SequenceId
    task_id: str
    index: int
    seed: int
    prefixes: tuple[PrefixKey, ...]
    num_steps: int
    true_cfg_scale: float
    canvas: Canvas
    acceleration: Acceleration = "none"
    inpaint: tuple[Picture, Picture] | None = None
    terms: Terms = DEFAULT_TERMS
    adapters: tuple[AdapterUse, ...] = ()

    @property
    def num_tokens(self) -> int:
        """Latent tokens of the picture."""
        return self.canvas.painted.area // TOKEN_AREA

    @property
    def step_tokens(self) -> int:
        """Tokens that one step computes, guidance included."""
        return self.num_tokens * len(self.prefixes)


@dataclass(frozen=True, slots=True)
class Job:
    """All work of one request, and the files of the adapters it takes."""

    task_id: str
    prefixes: tuple[PrefixSpec, ...]
    sequences: tuple[SequenceSpec, ...]
    adapters: tuple[AdapterFile, ...] = ()


@dataclass(frozen=True, slots=True)
class JobPlanner:
    """Breaks requests down for one checkpoint.

    Args:
        info: the checkpoint.
        count_tokens: length of a text in the checkpoint's tokens.
        share_prefixes: whether tenants share prefixes.
    """

    info: ModelInfo
    count_tokens: Callable[[str], int]
    share_prefixes: bool = False

    def plan(self, task_id: str, request: GenerationRequest, terms: Terms = DEFAULT_TERMS) -> Job:
        """Break a request down.

        Raises:
            RequestError: the loaded checkpoint or this engine cannot do it.
        """
        request = _with_seed(request)
        adapters = _uses_of(request)
        canvas = self._canvas(request)
        prefixes = self._prefixes(task_id, request, terms)
        sequences = tuple(
            SequenceSpec(
                sequence_id=f"{task_id}/{index}",
                task_id=task_id,
                index=index,
                seed=request.seed_of(index),
                prefixes=tuple(prefix.key for prefix in prefixes),
                num_steps=request.steps or self.info.default_steps,
                true_cfg_scale=request.true_cfg_scale,
                canvas=canvas,
                acceleration=request.acceleration,
                inpaint=(request.pictures[0], request.mask) if request.mask else None,
                terms=terms,
                adapters=adapters,
            )
            for index in range(request.num_images)
        )
        return Job(task_id, prefixes, sequences, request.adapters)

    def _canvas(self, request: GenerationRequest) -> Canvas:
        """The last picture's shape when no size is asked for; under a mask, the masked picture's very sides."""
        if request.mask is None or request.size is not None:
            follow = request.pictures[-1].aspect if request.pictures else None
            return plan_canvas(request.size, follow, self.info.sizes)
        painted = plan_canvas(None, request.mask.aspect, self.info.sizes).painted
        return Canvas(painted, Size(request.mask.width, request.mask.height))

    def _prefixes(self, task_id: str, request: GenerationRequest, terms: Terms) -> tuple[PrefixSpec, ...]:
        words = request.prompt
        if request.output.background == "transparent":
            words = ask_for_transparency(words)
        branches = [("prompt", words)]
        if request.uses_guidance and request.negative_prompt != words:  # away from itself leads nowhere
            branches.append(("negative_prompt", request.negative_prompt or ""))
        # Sharing nothing is sharing only with oneself: the task's own name becomes part of every hash.
        tenant = "" if self.share_prefixes else terms.tenant
        root = _digest(self.info.name, self.info.path, tenant, task_id if terms.reproducible else "")
        picture_keys = tuple(_digest(root, _digest_picture(picture)) for picture in request.pictures)
        return tuple(self._prefix(root, field, text, request, picture_keys) for field, text in branches)

    def _prefix(
        self, root: str, field: str, words: str, request: GenerationRequest, picture_keys: tuple[str, ...]
    ) -> PrefixSpec:
        pictures, adapters = request.pictures, _uses_of(request)
        if any(mark in words for mark in PICTURE_MARKS):
            raise RequestError(field, words, f"must not contain {' or '.join(PICTURE_MARKS)}: pictures stand there")
        num_words = self.count_tokens(words)
        if num_words > self.info.max_prompt_tokens:
            rule = f"has {num_words} tokens; this checkpoint reads at most {self.info.max_prompt_tokens}"
            raise RequestError(field, words, rule)
        root = _digest(root, *(f"{use.digest} {use.scale!r}" for use in adapters))
        shown = [fit_area(self.info.reference_area, p.aspect).area // TOKEN_AREA for p in pictures]
        blocks: list[BlockSpec] = []
        for key, text, tokens in zip(
            (*picture_keys, _digest("words", words)), self._count_spoken(words, len(pictures)), (*shown, 0), strict=True
        ):
            root = _digest(root, key)
            blocks.append(BlockSpec(root, text, tokens))
        return PrefixSpec(tuple(blocks), words, pictures, picture_keys, adapters)

    def _count_spoken(self, words: str, num_pictures: int) -> list[int]:
        """Tokens of the transformer's prefix that are text, before each picture and behind the last."""
        said = render_prompt(words, num_pictures).removeprefix(SYSTEM_TURN).split(IMAGE_PAD)
        return [self.count_tokens(text) for text in said]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _digest_picture(picture: Picture) -> str:
    content = hashlib.sha256(f"{picture.mode} {picture.width} {picture.height} ".encode())
    content.update(picture.data)
    return content.hexdigest()[:32]


def _with_seed(request: GenerationRequest) -> GenerationRequest:
    if request.seed != RANDOM_SEED:
        return request
    return replace(request, seed=secrets.randbelow(MAX_SEED + 1))


def _uses_of(request: GenerationRequest) -> tuple[AdapterUse, ...]:
    """What adapters do; at a scale of 0 they do nothing, so that such a request shares with those that have none."""
    return tuple(AdapterUse(file.digest, file.scale) for file in request.adapters if file.scale)
