"""`overpaint serve` with an engine that tells: its colour depends on all it was asked, and it can be made to fail.

A server of its own process like any other; only the engine's opener is another one. Two requests that differ in a
picture, a mask, a size, a seed, the steps, the guidance or the words are painted in different colours.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from overpaint import compose_server
from overpaint.core.config import EngineConfig, ModelConfig
from overpaint.core.errors import BackendError
from overpaint.core.events import Event, Failed, Finished
from overpaint.core.picture import Picture
from overpaint.core.ports import EngineClient
from overpaint.core.request import GenerationRequest
from overpaint.engine.null import NullEngine

BROKEN = "break the engine"
PATIENT_S = 0.05
"""Of a step, for requests of more than a hundred steps: long enough to be met while they run."""


class TelltaleEngine(NullEngine):
    """Paints one colour for each request, and fails at prompts that say so."""

    def _paint(self, task_id: str, request: GenerationRequest) -> Iterator[Event]:
        self._step_s = PATIENT_S if (request.steps or 0) > 100 else 0.0
        for event in super()._paint(task_id, request):
            if BROKEN in request.prompt:
                yield Failed(task_id, BackendError("the device is on fire"))
                return
            yield _recoloured(event, request) if isinstance(event, Finished) else event


def _recoloured(event: Finished, request: GenerationRequest) -> Finished:
    size = event.result.canvas.delivered
    images = [
        replace(image, picture=Picture(size.width, size.height, "RGB", _color(request, image.seed) * size.area))
        for image in event.result.images
    ]
    return replace(event, result=replace(event.result, images=tuple(images)))


def _color(request: GenerationRequest, seed: int) -> bytes:
    pictures = [(one.width, one.height, one.mode, one.data) for one in (*request.pictures, request.mask) if one]
    guidance = (request.true_cfg_scale, request.negative_prompt) if request.uses_guidance else None
    told = (request.prompt, pictures, request.mask is None, seed, request.steps, guidance, request.adapters)
    return hashlib.sha256(repr(told).encode()).digest()[:3]


def open_telltale(_model: ModelConfig, _engine: EngineConfig | None = None) -> EngineClient:
    """In the place of `compose.open_engine`."""
    return TelltaleEngine()


def main() -> None:
    """Run the command line with that engine."""
    from overpaint.__main__ import main as run
    from tests.contract.api import telltale  # by this name the child process finds it, too

    compose_server.open_engine = telltale.open_telltale
    run()


if __name__ == "__main__":
    main()
