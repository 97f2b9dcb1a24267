"""An engine under random traffic, cancels and injected failures for a while: memory stays flat, integrity holds.

    python -m benchmarks.offline.soak [--minutes 30] [--save]

Always as many tasks are open as make the device wait for none. One in ten is cancelled at a random moment, one in
fourteen meets an injected failure (of the device, of its memory, or a bug) in its prefix, a step or decoding. Ends with
1 when an error was not injected, integrity was lost, or memory was higher in the last third than in the one before.
"""

from __future__ import annotations

import logging
import random
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import psutil
import torch

from benchmarks.offline.options import checkpoint_options
from benchmarks.offline.workload import WORDS, engine, load, sample_pictures
from benchmarks.report import report
from overpaint.core.config import EngineConfig
from overpaint.core.errors import CancelledTaskError
from overpaint.core.events import Failed, Finished
from overpaint.core.request import ACCELERATIONS, GenerationRequest
from overpaint.core.sizes import Size
from overpaint.core.task import Priority
from overpaint.core.terms import Terms
from overpaint.engine.local import LocalEngine
from overpaint.model.checkpoint import Checkpoint

_MIB = 2**20
_CACHE_BYTES = 48 * _MIB
_OPEN_AT_MOST = 24
_CANCELLED, _FAILING = 0.1, 0.07
_MAY_GROW = 1.05


@dataclass
class Soak:
    """What happened.

    Args:
        ends: tasks by how they ended.
        problems: what should not have happened.
        rss_mib: memory of the process, every second.
    """

    ends: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    rss_mib: list[float] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """Highest memory of the last third over that of the second: the first still fills the cache."""
        third = max(1, len(self.rss_mib) // 3)
        return max(self.rss_mib[-third:]) / max(self.rss_mib[third : 2 * third] or self.rss_mib)


def draw_request(draw: random.Random) -> GenerationRequest:
    """A request of any kind."""
    pictures = sample_pictures()
    size = Size(draw.choice((64, 96, 128)), draw.choice((64, 96, 128)))
    return GenerationRequest(
        draw.choice(WORDS),
        negative_prompt="blurry",
        true_cfg_scale=draw.choice((1.0, 1.0, 1.0, 3.0)),
        pictures=tuple(draw.choice(pictures) for _ in range(draw.choice((0, 0, 1, 1, 2, 4)))),
        size=size,
        steps=draw.choice((2, 4, 8, 12)),
        num_images=draw.choice((1, 1, 1, 2, 3)),
        seed=draw.randrange(1000),
        acceleration=draw.choice(ACCELERATIONS),
    )


def draw_terms(draw: random.Random) -> Terms:
    """Terms of any kind."""
    return Terms(
        tenant=draw.choice("abc"),
        priority=draw.choice(tuple(Priority)),
        weight=draw.choice((1.0, 2.0)),
        preview_every=draw.choice((0, 0, 3)),
        reproducible=draw.random() < 0.1,
    )


class Saboteur:
    """Fails the work on chosen tasks, at a place each.

    Args:
        it: the engine whose parts it gets between.
    """

    def __init__(self, it: LocalEngine) -> None:
        self.places: dict[str, str] = {}
        painter = it._wheel.painter
        for owner, name in ((painter.prefixes, "begin"), (painter, "step"), (painter, "decode")):
            setattr(owner, name, self._around(name, getattr(owner, name)))

    def _around(self, place: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def checked(first: Any, *rest: Any) -> Any:
            for task_id in _tasks_in(place, first):
                if self.places.get(task_id) == place:
                    raise _ERRORS[int(task_id[1:]) % len(_ERRORS)](f"injected in {place}")
            return call(first, *rest)

        return checked


_ERRORS = (RuntimeError, torch.OutOfMemoryError, AssertionError, MemoryError)


def _tasks_in(place: str, first: Any) -> list[str]:
    """Whose work a call does; a prefix says it in its words."""
    if place == "begin":
        return [first.words.rpartition(" ")[2]]
    if place == "step":
        return [work.sequence_id.partition("/")[0] for work in first]
    return [first.partition("/")[0]]


def be_quiet() -> None:
    """Leave the tracebacks of what is injected out of the log."""
    logging.getLogger("overpaint.engine.runner").setLevel(logging.CRITICAL)


def soak(checkpoint: Checkpoint, seconds: float, seed: int = 0) -> Soak:
    """Load an engine for so long."""
    draw, found = random.Random(seed), Soak()
    with engine(checkpoint, EngineConfig(max_running=6, cache_bytes=_CACHE_BYTES)) as it:
        saboteur = Saboteur(it)
        threads: deque[threading.Thread] = deque()
        end_s, next_look_s, count = time.monotonic() + seconds, time.monotonic(), 0
        while time.monotonic() < end_s:
            task_id = f"t{count}"
            count += 1
            fate = _submit(it, saboteur, task_id, draw)
            thread = threading.Thread(target=_watch, args=(it, task_id, fate, draw.random(), found))
            thread.start()
            threads.append(thread)
            while len(threads) >= _OPEN_AT_MOST:
                threads.popleft().join()
            if time.monotonic() >= next_look_s:
                next_look_s = time.monotonic() + 1.0
                found.rss_mib.append(psutil.Process().memory_info().rss / _MIB)
        for thread in threads:
            thread.join()
    return found


def _submit(it: LocalEngine, saboteur: Saboteur, task_id: str, draw: random.Random) -> str:
    """Submit a task; what is going to happen to it."""
    request, terms = draw_request(draw), draw_terms(draw)
    chance = draw.random()
    fate = "cancelled" if chance < _CANCELLED else "failed" if chance < _CANCELLED + _FAILING else "finished"
    if fate == "failed":
        # Words of its own, so that nobody else needs the prefix that fails.
        request = _with_words(request, f"{request.prompt} {task_id}")
        saboteur.places[task_id] = draw.choice(("begin", "step", "decode"))
    it.submit(task_id, request, terms)
    return fate


def _with_words(request: GenerationRequest, words: str) -> GenerationRequest:
    return replace(request, prompt=words)


def _watch(it: LocalEngine, task_id: str, fate: str, moment: float, found: Soak) -> None:
    """Read a task's events to its end, cancelling it on the way when that is its fate."""
    if fate == "cancelled":
        threading.Timer(moment * 0.5, it.cancel, (task_id,)).start()
    last = list(it.events(task_id))[-1]
    if isinstance(last, Finished):
        found.ends["finished"] += 1
        if fate == "failed":
            found.problems.append(f"{task_id} met its injected failure and finished")
    elif isinstance(last, Failed):
        found.ends[type(last.error).__name__] += 1
        if fate == "finished" or (fate == "cancelled" and not isinstance(last.error, CancelledTaskError)):
            found.problems.append(f"{task_id}: {last.error}")


def verdict(found: Soak) -> str | None:
    """What is wrong, in words; None when all is well."""
    wrong = [f"{len(found.problems)} problems, the first: {found.problems[0]}"] if found.problems else []
    if found.growth > _MAY_GROW:
        wrong.append(f"memory grew {found.growth:.3f}x, more than {_MAY_GROW}x; in few minutes caches may still fill")
    return f"soak: {'; '.join(wrong)}" if wrong else None


def main() -> None:
    parser = checkpoint_options(__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    arguments = parser.parse_args()
    be_quiet()
    found = soak(load(arguments.model, arguments.dtype), 60 * arguments.minutes)
    rows = [[name, str(count)] for name, count in sorted(found.ends.items())]
    rows += [["memory, last third over the second", f"{found.growth:.3f}x"], ["problems", str(len(found.problems))]]
    figures = {
        "minutes": arguments.minutes,
        "ends": dict(found.ends),
        "rss_mib": [round(value) for value in found.rss_mib[:: max(1, len(found.rss_mib) // 60)]],
        "growth": found.growth,
        "problems": found.problems[:20],
    }
    report("soak", ["what", "count"], rows, figures, save=arguments.save)
    sys.exit(verdict(found))


if __name__ == "__main__":
    main()
