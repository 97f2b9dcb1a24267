"""Requests to measure the engine with, and ways to serve them. Knows nothing of what is measured."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from overpaint.core.config import EngineConfig, ModelConfig
from overpaint.core.events import Finished
from overpaint.core.picture import Picture
from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import Size
from overpaint.core.terms import Terms
from overpaint.engine.local import LocalEngine
from overpaint.engine.threads import in_passing_thread
from overpaint.images.pil import from_pil
from overpaint.model.checkpoint import Checkpoint, load_checkpoint
from overpaint.model.device import keep_host_memory

SAMPLES = Path(__file__).parents[2] / "src/overpaint/bundled/samples"
WORDS = (
    "remove the apple", "change the background to blue", "replace the dog with a cat", "add a car on the left",
    "change the background to green", "remove the dog", "replace the cat with a rocket", "make the background white",
    "a cat on a red background", "a dog on the left and an apple on the right", "a rocket on a yellow background",
)  # fmt: skip


def load(model: str | None, dtype: str, native_side: int = 256) -> Checkpoint:
    """A checkpoint that paints up to `native_side` squared directly, so that sizes differ in work."""
    keep_host_memory()
    checkpoint = in_passing_thread(lambda: load_checkpoint(ModelConfig(model, dtype=dtype)))
    sizes = replace(checkpoint.info.sizes, native_area=max(checkpoint.info.sizes.native_area, native_side**2))
    return replace(checkpoint, info=replace(checkpoint.info, sizes=sizes))


def at_side(checkpoint: Checkpoint, side: int) -> Checkpoint:
    """The same weights with references and pictures of `side` squared: the work of a checkpoint made for that size.

    No weight depends on the size; the pictures may come out badly, and nobody looks at them.
    """
    sizes = replace(checkpoint.info.sizes, default_area=side**2, native_area=side**2)
    return replace(checkpoint, info=replace(checkpoint.info, sizes=sizes, reference_area=side**2))


def sample_pictures() -> list[Picture]:
    """The bundled sample pictures."""
    return [from_pil(Image.open(path)) for path in sorted(SAMPLES.glob("*.png"))]


def mixed_requests(count: int, seed: int = 0) -> list[GenerationRequest]:
    """Half edits of few pictures, half generations; sides 128 to 256; 4 to 30 steps."""
    draw = random.Random(seed)
    pictures = sample_pictures()
    return [
        GenerationRequest(
            draw.choice(WORDS),
            pictures=(draw.choice(pictures),) if index % 2 else (),
            size=Size(draw.choice((128, 192, 256)), draw.choice((128, 192, 256))),
            steps=draw.choice((4, 8, 20, 30)),
            seed=index,
        )
        for index in range(count)
    ]


@contextmanager
def engine(checkpoint: Checkpoint, config: EngineConfig) -> Iterator[LocalEngine]:
    """An engine for one measurement, warmed up as the server warms its own up: by two small pictures at once."""
    it = LocalEngine(checkpoint, config)
    try:
        serve_at_once(it, [GenerationRequest("a cat", steps=2, seed=seed) for seed in range(2)])
        yield it
        assert it.wait_idle(10)
        it.check_integrity()
    finally:
        it.close()


def finish(it: LocalEngine, task_id: str, request: GenerationRequest, terms: Terms | None = None) -> Finished:
    """Submit a request and wait for its result."""
    it.submit(task_id, request, terms or Terms())
    last = list(it.events(task_id))[-1]
    assert isinstance(last, Finished), last
    return last


def serve_at_once(it: LocalEngine, requests: list[GenerationRequest]) -> float:
    """Seconds to answer all requests, queued together."""
    start = time.perf_counter()
    for index, request in enumerate(requests):
        it.submit(str(index), request)
    for index in range(len(requests)):
        assert isinstance(list(it.events(str(index)))[-1], Finished)
    return time.perf_counter() - start


@dataclass(frozen=True)
class Arrival:
    """A request that comes at `at_s` after the start."""

    at_s: float
    kind: str
    request: GenerationRequest
    terms: Terms


def serve_arrivals(it: LocalEngine, arrivals: list[Arrival]) -> tuple[dict[str, list[float]], float]:
    """Send requests at their times; latencies in seconds by kind, and the time until all were answered."""
    latencies: dict[str, list[float]] = {}
    lock = threading.Lock()
    start = time.perf_counter()

    def wait(index: int, arrival: Arrival) -> None:
        for _ in it.events(str(index)):
            pass
        with lock:
            latencies.setdefault(arrival.kind, []).append(time.perf_counter() - start - arrival.at_s)

    threads: list[threading.Thread] = []
    for index, arrival in enumerate(arrivals):
        time.sleep(max(0.0, start + arrival.at_s - time.perf_counter()))
        it.submit(str(index), arrival.request, arrival.terms)
        threads.append(threading.Thread(target=wait, args=(index, arrival)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return latencies, time.perf_counter() - start


def serve_in_order(it: LocalEngine, arrivals: list[Arrival]) -> tuple[dict[str, list[float]], float]:
    """The same, one whole request after the other, first come, first served."""
    latencies: dict[str, list[float]] = {}
    start = time.perf_counter()
    for index, arrival in enumerate(arrivals):
        time.sleep(max(0.0, start + arrival.at_s - time.perf_counter()))
        finish(it, str(index), arrival.request, arrival.terms)
        latencies.setdefault(arrival.kind, []).append(time.perf_counter() - start - arrival.at_s)
    return latencies, time.perf_counter() - start


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def alternate(rounds: int, sides: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Measure all sides once per round, in turn, so that a noisy machine disturbs them alike."""
    measured: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, measure in sides.items():
            measured[name].append(measure())
    return measured
