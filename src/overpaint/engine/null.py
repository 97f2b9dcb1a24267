"""An engine without a model: paints one flat colour, drawn from prompt and seed, after the steps it was asked for.

A real adapter of `core.ports.EngineClient`: same checks, same events (previews too), same cancel, masks honoured. It is
what the command line is tested with, and what `--model null:` gives as a dry run. Works as its events are read, on the
reader's thread. Knows no torch.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

from overpaint.core.engine_stats import NO_STATS, EngineStats
from overpaint.core.errors import BackendError, CancelledTaskError, RequestError, TaskError
from overpaint.core.events import Event, Failed, Finished, Preview, Progress, is_final
from overpaint.core.model_info import ModelInfo
from overpaint.core.picture import Picture
from overpaint.core.request import MAX_SEED, RANDOM_SEED, GenerationRequest
from overpaint.core.result import GenerationResult, PaintedImage, Timings
from overpaint.core.sizes import Canvas, Size, SizeRules, plan_canvas
from overpaint.core.terms import DEFAULT_TERMS, Terms
from overpaint.images.composite import composite
from overpaint.images.resize import resize

NULL_INFO = ModelInfo(
    name="null",
    path="null:",
    device="cpu",
    dtype="float32",
    sizes=SizeRules(native_area=1024 * 1024),
    reference_area=1024 * 1024,
    default_steps=4,
    max_prompt_tokens=512,
)
PREVIEW_PX = 32


class NullEngine:
    """Paints flat colours.

    Args:
        step_s: seconds one step takes, for whoever wants to watch or interrupt it.
    """

    def __init__(self, step_s: float = 0.0) -> None:
        self._step_s = step_s
        self._tasks: dict[str, GenerationRequest] = {}
        self._preview_every: dict[str, int] = {}
        self._cancelled: set[str] = set()
        self._closed = threading.Event()

    @property
    def info(self) -> ModelInfo:
        """What the null engine pretends to be."""
        return NULL_INFO

    @property
    def stats(self) -> EngineStats:
        """Nothing is counted here."""
        return NO_STATS

    def submit(self, task_id: str, request: GenerationRequest, terms: Terms = DEFAULT_TERMS) -> None:
        """Take the task, or raise before taking it (see `EngineClient.submit`); of its terms, only previews count."""
        if self._closed.is_set():
            raise BackendError("the engine is closed")
        if task_id in self._tasks:
            raise TaskError(f"task {task_id} is already known")
        _check_prompt(request.prompt)
        _canvas_of(request)
        seed = secrets.randbelow(MAX_SEED + 1) if request.seed == RANDOM_SEED else request.seed
        self._tasks[task_id] = replace(request, seed=seed)
        self._preview_every[task_id] = terms.preview_every

    def events(self, task_id: str) -> Iterator[Event]:
        """Paint the task while yielding its events; read it once."""
        request = self._tasks.get(task_id)
        if request is None:
            raise TaskError(f"task {task_id} is not known")
        return self._paint_and_forget(task_id, request)

    def cancel(self, task_id: str) -> None:
        """Stop the task at the next step."""
        if task_id in self._tasks:
            self._cancelled.add(task_id)

    def write(self, instructions: str, words: str, max_tokens: int) -> str:  # noqa: ARG002
        """See `TextWriter.write`; adds what this engine can paint."""
        return f"{words}, in one flat colour"

    def close(self) -> None:
        """Fail what is still being read."""
        self._closed.set()

    def _paint_and_forget(self, task_id: str, request: GenerationRequest) -> Iterator[Event]:
        """A task that has ended is not known any more, so that it may be given again."""
        for event in self._paint(task_id, request):
            if is_final(event):
                self._tasks.pop(task_id, None)
                self._preview_every.pop(task_id, None)
                self._cancelled.discard(task_id)
            yield event

    def _paint(self, task_id: str, request: GenerationRequest) -> Iterator[Event]:
        started_s = time.monotonic()
        steps = request.steps or NULL_INFO.default_steps
        total = steps * request.num_images
        every = self._preview_every[task_id]
        yield Progress(task_id, "condition", 0, total)
        for step in range(1, total + 1):
            self._closed.wait(self._step_s)
            if self._closed.is_set():
                yield Failed(task_id, BackendError("the engine was closed"))
                return
            if task_id in self._cancelled:
                yield Failed(task_id, CancelledTaskError())
                return
            yield Progress(task_id, "denoise", step, total)
            if every and step % every == 0:
                yield _preview_of(task_id, request, step, steps)
        yield Progress(task_id, "decode", total, total)
        yield Finished(task_id, _result_of(request, steps, time.monotonic() - started_s))


def _check_prompt(prompt: str) -> None:
    num_tokens = len(prompt.split())
    if num_tokens > NULL_INFO.max_prompt_tokens:
        raise RequestError("prompt", f"{num_tokens} tokens", f"must be at most {NULL_INFO.max_prompt_tokens}")


def _canvas_of(request: GenerationRequest) -> Canvas:
    """The last picture's shape when no size is asked for; under a mask, the masked picture's very sides."""
    if request.mask is not None and request.size is None:
        sides = Size(request.mask.width, request.mask.height)
        return Canvas(sides, sides)
    follow = request.pictures[-1].aspect if request.pictures else None
    return plan_canvas(request.size, follow, NULL_INFO.sizes)


def _preview_of(task_id: str, request: GenerationRequest, step: int, steps: int) -> Preview:
    """A small look at the picture that the `step`-th step of all belongs to."""
    index = (step - 1) // steps
    return Preview(task_id, index, step, _flat(request, request.seed_of(index), Size(PREVIEW_PX, PREVIEW_PX)))


def _result_of(request: GenerationRequest, steps: int, seconds: float) -> GenerationResult:
    canvas = _canvas_of(request)
    seeds = [request.seed_of(index) for index in range(request.num_images)]
    images = tuple(PaintedImage(_painted(request, seed, canvas.delivered), seed) for seed in seeds)
    return GenerationResult(images, canvas, steps, NULL_INFO.name, Timings(denoise_s=seconds, total_s=seconds))


def _painted(request: GenerationRequest, seed: int, size: Size) -> Picture:
    """The flat colour; under a mask, only where that is white."""
    flat = _flat(request, seed, size)
    if request.mask is None:
        return flat
    return composite(flat, resize(request.pictures[0], size), resize(request.mask, size))


def _flat(request: GenerationRequest, seed: int, size: Size) -> Picture:
    """One colour for each prompt, seed and set of adapters; half transparent when transparency is asked for."""
    adapters = "".join(f"\0{adapter.digest} {adapter.scale:g}" for adapter in request.adapters)
    color = hashlib.sha256(f"{request.prompt}\0{seed}{adapters}".encode()).digest()[:3]
    if request.output.background == "transparent":
        return Picture(size.width, size.height, "RGBA", (color + b"\x80") * size.area)
    return Picture(size.width, size.height, "RGB", color * size.area)
