"""Twenty instructions on one picture, and on four: what the prefix cache saves.

    python -m benchmarks.offline.prefixes [--rounds 3] [--save]

"Off" gives every request a tenant of its own, so that nothing can be shared; all else is equal. Once at the size that
the checkpoint was made for, and once with the same weights at 256x256, where a reference is four times as many tokens.
"""

from __future__ import annotations

import statistics
import time

from benchmarks.offline.options import checkpoint_options
from benchmarks.offline.workload import alternate, at_side, engine, finish, load, sample_pictures
from benchmarks.report import report
from overpaint.core.config import EngineConfig
from overpaint.core.request import GenerationRequest
from overpaint.core.terms import Terms
from overpaint.engine.job import JobPlanner
from overpaint.engine.local import LocalEngine
from overpaint.model.checkpoint import Checkpoint
from overpaint.model.conditioner import Conditioner

_EDITS = 20
_LARGE_SIDE = 256
_COLOURS = ("red", "blue", "green", "yellow", "white", "pink", "grey", "black", "orange", "purple")


def edits(num_pictures: int) -> list[GenerationRequest]:
    """Twenty different instructions on the same pictures, four steps each."""
    pictures = tuple((sample_pictures() * num_pictures)[:num_pictures])
    words = [f"change the background to {colour}{end}" for end in ("", " please") for colour in _COLOURS]
    return [GenerationRequest(text, pictures=pictures, steps=4, seed=1) for text in words[:_EDITS]]


def time_edits(it: LocalEngine, requests: list[GenerationRequest], tenants: list[str], tag: str) -> float:
    """Mean seconds of an edit after the first, one after the other."""
    finish(it, f"{tag}/first", requests[0], Terms(tenant=tenants[0]))
    start = time.perf_counter()
    for index, request in enumerate(requests[1:], 1):
        finish(it, f"{tag}/{index}", request, Terms(tenant=tenants[index]))
    return (time.perf_counter() - start) / (len(requests) - 1)


def shared_tokens(checkpoint: Checkpoint, request: GenerationRequest) -> int:
    """Prefix tokens that another instruction on the same pictures has, too: all but the words at the end."""
    conditioner = Conditioner(checkpoint.text_encoder, checkpoint.tokenizer, checkpoint.image_processor)
    (prefix,) = JobPlanner(checkpoint.info, conditioner.count_tokens).plan("t", request).prefixes
    return sum(block.num_tokens for block in prefix.blocks[:-1])


def measure(checkpoint: Checkpoint, num_pictures: int, rounds: int) -> dict[str, float]:
    """Seconds per edit with and without sharing, and the share of prefix tokens that was reused."""
    requests = edits(num_pictures)
    counter = iter(range(10_000))
    with engine(checkpoint, EngineConfig()) as it:

        def off() -> float:
            tag = f"off{next(counter)}"
            return time_edits(it, requests, [f"{tag}/{index}" for index in range(_EDITS)], tag)

        def on() -> float:
            tag = f"on{next(counter)}"
            return time_edits(it, requests, [tag] * _EDITS, tag)

        times = alternate(rounds, {"off": off, "on": on})
        before = (it.stats.prefix_tokens, it.stats.prefix_tokens_reused)
        finish(it, "hit/0", requests[0], Terms(tenant="hit"))
        first = (it.stats.prefix_tokens, it.stats.prefix_tokens_reused)
        for index, request in enumerate(requests[1:], 1):
            finish(it, f"hit/{index}", request, Terms(tenant="hit"))
        tokens, reused = it.stats.prefix_tokens - first[0], it.stats.prefix_tokens_reused - first[1]
        assert first[1] == before[1]
    shared = sum(shared_tokens(checkpoint, request) for request in requests[1:])
    ratio = statistics.median(a / b for a, b in zip(times["on"], times["off"], strict=True))
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {**medians, "ratio": ratio, "hit_share": reused / tokens, "hit_share_of_shared": reused / shared}


def main() -> None:
    parser = checkpoint_options(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    checkpoint = load(arguments.model, arguments.dtype)
    sides = sorted({int(checkpoint.info.reference_area**0.5), _LARGE_SIDE})
    found = {
        f"{count} at {side}x{side}": measure(at_side(checkpoint, side), count, arguments.rounds)
        for side in sides
        for count in (1, 4)
    }
    rows = [
        [
            name,
            f"{f['off'] * 1e3:.0f} ms",
            f"{f['on'] * 1e3:.0f} ms",
            f"{f['ratio']:.2f}x",
            f"{f['hit_share']:.0%}",
            f"{f['hit_share_of_shared']:.0%}",
        ]
        for name, f in found.items()
    ]
    columns = [
        "pictures",
        "an edit, nothing shared",
        "an edit, shared",
        "time ratio",
        "prefix tokens reused",
        "of those shared",
    ]
    report("prefixes", columns, rows, {"by_pictures": found}, save=arguments.save)


if __name__ == "__main__":
    main()
