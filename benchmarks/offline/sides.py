"""The two sides of a comparison: our engine and diffusers' pipeline, on the same folder, in the same dtype.

Both paint one request and tell where the time went. Knows nothing of what is compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image

from benchmarks.offline.workload import finish
from overpaint.core.model_info import ModelInfo
from overpaint.core.picture import Picture
from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import Size
from overpaint.engine.local import LocalEngine
from overpaint.images.pil import to_pil
from tests.reference.pipeline import reference_pipeline


@dataclass(frozen=True)
class Outcome:
    """One painted request.

    Args:
        seconds: from the request to pixels in memory.
        stages: seconds by stage; what none of them has is `other`.
        image: what was painted.
    """

    seconds: float
    stages: dict[str, float]
    image: Image.Image


class Side(Protocol):
    """Somebody who paints."""

    def paint(self, request: GenerationRequest) -> Outcome:
        """Paint one request, alone on the machine."""
        ...


class Ours:
    """`LocalEngine` in this process.

    Args:
        engine: running.
    """

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine
        self._count = 0

    def paint(self, request: GenerationRequest) -> Outcome:
        """See `Side.paint`."""
        self._count += 1
        start = time.perf_counter()
        result = finish(self._engine, f"measured-{self._count}", request).result
        seconds = time.perf_counter() - start
        times = result.timings
        stages = {
            "condition": times.condition_s,
            "prefill": times.prefill_s,
            "steps": times.denoise_s,
            "decode": times.decode_s,
        }
        stages["other"] = seconds - sum(stages.values())
        return Outcome(seconds, stages, to_pil(result.images[0].picture))

    def close(self) -> None:
        """Stop the engine."""
        self._engine.close()


@dataclass
class _Stopwatch:
    """Seconds of every call, by name."""

    calls: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def around(self, owner: Any, method: str, name: str) -> Iterator[None]:
        """Time a method while the block runs."""
        original = getattr(owner, method)
        setattr(owner, method, self._timed(original, name))
        try:
            yield
        finally:
            setattr(owner, method, original)

    def _timed(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            result = call(*args, **kwargs)
            _synchronize()
            self.calls.setdefault(name, []).append(time.perf_counter() - start)
            return result

        return timed


class Diffusers:
    """`QwenImage21Pipeline` with its KV cache on.

    Args:
        info: of the checkpoint whose folder, device and dtype it takes.
    """

    def __init__(self, info: ModelInfo) -> None:
        dtype = getattr(torch, info.dtype)
        self._pipe: Any = reference_pipeline(Path(info.path), dtype=dtype, device=info.device)
        self._side = int(info.reference_area**0.5)

    def paint(self, request: GenerationRequest) -> Outcome:
        """See `Side.paint`."""
        watch, pipe = _Stopwatch(), self._pipe
        start = time.perf_counter()
        with (
            watch.around(pipe, "encode_prompt", "condition"),
            watch.around(pipe, "prepare_latents", "condition"),
            watch.around(pipe.transformer, "forward", "step"),
            watch.around(pipe.vae, "decode", "decode"),
        ):
            image = pipe(**self._arguments(request)).images[0]
        seconds = time.perf_counter() - start
        first, *later = watch.calls["step"]
        # The first call runs prefix and target together: what it takes beyond a later one is its prefill.
        prefill = max(0.0, first - float(np.median(later))) if later else 0.0
        stages = {
            "condition": sum(watch.calls["condition"]),
            "prefill": prefill,
            "steps": first + sum(later) - prefill,
            "decode": sum(watch.calls["decode"]),
        }
        stages["other"] = seconds - sum(stages.values())
        return Outcome(seconds, stages, image)

    def _arguments(self, request: GenerationRequest) -> dict[str, Any]:
        assert isinstance(request.size, Size)
        return {
            "prompt": request.prompt,
            "image": [to_pil(picture) for picture in request.pictures] or None,
            "width": request.size.width,
            "height": request.size.height,
            "num_inference_steps": request.steps,
            "generator": torch.Generator().manual_seed(request.seed),
            "output_resolution": self._side,
        }


def fresh(request: GenerationRequest, number: int) -> GenerationRequest:
    """The same work with other words and pixels, so that nothing of an earlier round can be reused."""
    pictures = tuple(_touched(picture, number) for picture in request.pictures)
    return replace(request, prompt=f"{request.prompt} {number:03d}", pictures=pictures, seed=number)


def _touched(picture: Picture, number: int) -> Picture:
    """One byte of the first pixel differs."""
    return replace(picture, data=bytes([number % 256]) + picture.data[1:])


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
