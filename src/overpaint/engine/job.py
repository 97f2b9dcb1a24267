"""A request broken down into what the engine works on: prefixes to build and sequences to paint.

Torch-free and stateless. The engine's door: what depends on the loaded checkpoint is refused here.
"""

import secrets
from dataclasses import dataclass, replace

from overpaint.core import Canvas, GenerationRequest, ModelInfo, Picture, RequestError
from overpaint.core.request import MAX_SEED, RANDOM_SEED
from overpaint.core.sizes import plan_canvas
from overpaint.model.prompt import ask_for_transparency

PrefixKey = str
SequenceId = str


@dataclass(frozen=True, slots=True)
class PrefixSpec:
    """Words and pictures whose keys and values are computed once.

    Args:
        key: names it; opaque to the scheduler.
        task_id: whose it is.
        words: the instruction, or the negative one.
        pictures: references in order.
    """

    key: PrefixKey
    task_id: str
    words: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class SequenceSpec:
    """One picture to paint.

    Args:
        sequence_id: names it.
        task_id: whose it is.
        index: which of the task's pictures.
        seed: of its noise.
        prefixes: the positive prefix, and the negative one under guidance.
        num_steps: denoising steps.
        true_cfg_scale: strength of guidance; without effect when there is one prefix.
        canvas: what to paint and what to deliver.
    """

    sequence_id: SequenceId
    task_id: str
    index: int
    seed: int
    prefixes: tuple[PrefixKey, ...]
    num_steps: int
    true_cfg_scale: float
    canvas: Canvas


@dataclass(frozen=True, slots=True)
class Job:
    """All work of one request."""

    task_id: str
    prefixes: tuple[PrefixSpec, ...]
    sequences: tuple[SequenceSpec, ...]


def plan_job(task_id: str, request: GenerationRequest, info: ModelInfo) -> Job:
    """Break a request down.

    Raises:
        RequestError: the loaded checkpoint or this engine cannot do it.
    """
    _refuse_unsupported(request)
    request = _with_seed(request)
    prefixes = _prefixes(task_id, request)
    canvas = plan_canvas(request.size, request.pictures[-1].aspect if request.pictures else None, info.sizes)
    sequences = tuple(
        SequenceSpec(
            sequence_id=f"{task_id}/{index}",
            task_id=task_id,
            index=index,
            seed=request.seed_of(index),
            prefixes=tuple(prefix.key for prefix in prefixes),
            num_steps=request.steps or info.default_steps,
            true_cfg_scale=request.true_cfg_scale,
            canvas=canvas,
        )
        for index in range(request.num_images)
    )
    return Job(task_id, prefixes, sequences)


def _prefixes(task_id: str, request: GenerationRequest) -> tuple[PrefixSpec, ...]:
    words = request.prompt
    if request.output.background == "transparent":
        words = ask_for_transparency(words)
    branches = [("positive", words)]
    if request.uses_guidance:
        branches.append(("negative", request.negative_prompt or ""))
    return tuple(PrefixSpec(f"{task_id}/{branch}", task_id, text, request.pictures) for branch, text in branches)


def _with_seed(request: GenerationRequest) -> GenerationRequest:
    if request.seed != RANDOM_SEED:
        return request
    return replace(request, seed=secrets.randbelow(MAX_SEED + 1))


def _refuse_unsupported(request: GenerationRequest) -> None:
    if request.adapters:
        raise RequestError("adapters", request.adapters[0].source, "cannot be applied: this version has no adapters")
    if request.mask is not None:
        raise RequestError("mask", "a mask", "cannot be honoured: this version has no masks")
