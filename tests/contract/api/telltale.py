"""`overpaint serve` with an engine that tells: its colour depends on all it was asked, and it fails or waits when told.

A server of its own process like any other; only the engine's opener is another one. Two requests that differ in a
picture, a mask, a size, a seed, the steps, the guidance or the words are painted in different colours.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from overpaint.compose import server as compose_server
from overpaint.core.config import EngineConfig, ModelConfig
from overpaint.core.errors import BackendError, OversizeError
from overpaint.core.events import Event, Failed, Preview, Progress
from overpaint.core.ports import EngineClient
from overpaint.core.request import GenerationRequest
from overpaint.core.terms import DEFAULT_TERMS, Terms
from overpaint.engine.null import NullEngine
from tests.contract.api.gate import is_held

BROKEN = "break the engine"
HUGE = "fill the device"
LOOK_S = 0.02


class TelltaleEngine(NullEngine):
    """Paints one colour for each request, fails at prompts that say so, and halts at those with the words of a gate.

    Halts are after the first step and after each preview.
    """

    def submit(self, task_id: str, request: GenerationRequest, terms: Terms = DEFAULT_TERMS) -> None:
        """See `EngineClient.submit`; refuses words that are too large for it, as the real one does."""
        if HUGE in request.prompt:
            raise OversizeError("10 references need 4 GiB and there is 1: 2 references would fit")
        super().submit(task_id, request, terms)

    def _paint(self, task_id: str, request: GenerationRequest) -> Iterator[Event]:
        halts = 0
        for event in super()._paint(task_id, replace(request, prompt=_digest(request))):
            if BROKEN in request.prompt:
                yield Failed(task_id, BackendError("the device is on fire"))
                return
            yield event
            if isinstance(event, Preview) or (isinstance(event, Progress) and event.step == 1):
                halts += 1
                self._halt(task_id, is_held(request.prompt, halts))

    def _halt(self, task_id: str, is_held: Callable[[], bool]) -> None:
        while is_held() and task_id not in self._cancelled and not self._closed.wait(LOOK_S):
            pass


def _digest(request: GenerationRequest) -> str:
    """Of everything but the seed: the null engine draws its colour from prompt and seed."""
    pictures = [(one.width, one.height, one.mode, one.data) for one in (*request.pictures, request.mask) if one]
    guidance = (request.true_cfg_scale, request.negative_prompt) if request.uses_guidance else None
    adapters = [(one.digest, one.scale) for one in request.adapters]
    told = (request.prompt, pictures, request.mask is None, request.steps, guidance, adapters)
    return hashlib.sha256(repr(told).encode()).hexdigest()


def open_telltale(model: ModelConfig, _engine: EngineConfig | None = None) -> EngineClient:
    """In the place of `open_engine`; ``"null:0.5"`` has it take half a second a step, too."""
    assert model.source is not None
    return TelltaleEngine(float(model.source.removeprefix("null:") or 0))


def main() -> None:
    """Run the command line with that engine."""
    from overpaint.__main__ import main as run
    from tests.contract.api import telltale  # by this name the child process finds it, too

    compose_server.open_engine = telltale.open_telltale
    run()


if __name__ == "__main__":
    main()
