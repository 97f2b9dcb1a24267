"""What a job needs at its peak, and what would fit instead. Torch-free arithmetic over the numbers in `Limits`.

A job holds keys and values of its prefixes, and on top of that what its largest piece of work takes: a step of all
guidance branches, or a chunk of a prefix, and the prefix as one layer reads it; with what acceleration keeps between
steps. Several outputs share prefixes, and guidance branches share pictures. Decoding fits by itself: it works in tiles.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from overpaint.core.errors import CapacityError, OversizeError
from overpaint.engine.job import TOKEN_AREA, Job, SequenceSpec
from overpaint.engine.limits import Limits
from overpaint.images.limits import MIB

_SIDE_STEP = 32


@dataclass(frozen=True, slots=True)
class Demand:
    """What decides about a job's memory.

    Args:
        text_tokens: of one prefix, without its pictures.
        reference_tokens: of one picture.
        num_references: pictures.
        target_tokens: of the picture to paint.
        num_branches: 2 under guidance, else 1.
        num_accelerated: pictures that are painted with acceleration.
        caption_tokens: of a prefix's text, those before one picture, with which they are run.
    """

    text_tokens: int
    reference_tokens: int
    num_references: int
    target_tokens: int
    num_branches: int
    num_accelerated: int = 0
    caption_tokens: int = 0

    @classmethod
    def of(cls, job: Job) -> "Demand":
        """A job's demand; of unlike prefixes or pictures, the largest."""
        prefix = max(job.prefixes, key=lambda spec: spec.num_tokens)
        count = len(prefix.picture_keys)
        return cls(
            text_tokens=prefix.num_tokens - prefix.picture_tokens,
            reference_tokens=-(-prefix.picture_tokens // max(1, count)),
            num_references=count,
            target_tokens=max(sequence.num_tokens for sequence in job.sequences),
            num_branches=len(job.prefixes),
            num_accelerated=sum(sequence.acceleration != "none" for sequence in job.sequences),
            caption_tokens=max((block.text_tokens for block in prefix.blocks[:-1]), default=0),
        )

    def kept_bytes(self, limits: Limits) -> int:
        """Keys and values that are held while the job runs."""
        return limits.kept_bytes(self.num_branches * self.text_tokens, self.num_references * self.reference_tokens)

    def describe(self) -> str:
        """In words."""
        side = round((self.target_tokens * TOKEN_AREA) ** 0.5)
        guidance = " under guidance" if self.num_branches > 1 else ""
        return f"{self.num_references} references and a picture of about {side}x{side}{guidance}"


def fits(demand: Demand, limits: Limits) -> bool:
    """Whether there is memory for it on a device that does nothing else."""
    return demand.kept_bytes(limits) <= limits.cache_bytes and work_bytes(demand, limits) <= limits.work_bytes


def work_bytes(demand: Demand, limits: Limits) -> int:
    """Memory for the largest piece of work on it."""
    prefix = demand.text_tokens + demand.num_references * demand.reference_tokens
    picture = demand.caption_tokens + demand.reference_tokens if demand.num_references else 0
    chunk = max(demand.text_tokens, picture, min(prefix, limits.prefill_tokens))  # blocks are never split
    step = demand.num_branches * demand.target_tokens
    memos = min(demand.num_accelerated, limits.max_running) * step * limits.memo_bytes_per_token
    return memos + max(limits.pass_bytes(chunk, [prefix]), limits.pass_bytes(step, [prefix] * demand.num_branches))


def memo_bytes(spec: SequenceSpec, limits: Limits) -> int:
    """What a sequence keeps from one step to the next; nothing unless it is accelerated."""
    return 0 if spec.acceleration == "none" else spec.step_tokens * limits.memo_bytes_per_token


def check_fits(job: Job, limits: Limits) -> None:
    """Refuse a job that could never be held.

    Raises:
        OversizeError: naming what it needs, what there is, and what would fit.
    """
    demand = Demand.of(job)
    if fits(demand, limits):
        return
    kept, work = (num / MIB for num in (demand.kept_bytes(limits), work_bytes(demand, limits)))
    raise OversizeError(
        f"{demand.describe()} need {kept:.0f} MiB for keys and values and {work:.0f} MiB to work in; this device has "
        f"{limits.cache_bytes / MIB:.0f} and {limits.work_bytes / MIB:.0f} MiB: {what_fits(demand, limits)}"
    )


def out_of_memory(job: Job, limits: Limits) -> CapacityError:
    """The error of a job for which there should have been memory and was not; says what needs a quarter less."""
    demand = Demand.of(job)
    less = replace(limits, work_bytes=min(limits.work_bytes, work_bytes(demand, limits) * 3 // 4))
    return CapacityError(f"the device ran out of memory on {demand.describe()}: {what_fits(demand, less)}")


def what_fits(demand: Demand, limits: Limits) -> str:
    """The changes that would make it fit, each alone, as a clause."""
    ways = (_without_guidance, _without_acceleration, _fewer_references, _smaller_picture)
    found = [text for way in ways if (text := way(demand, limits))]
    return f"{' or '.join(found)} would fit" if found else "nothing like it would fit"


def _without_guidance(demand: Demand, limits: Limits) -> str | None:
    return "no guidance" if demand.num_branches > 1 and fits(replace(demand, num_branches=1), limits) else None


def _without_acceleration(demand: Demand, limits: Limits) -> str | None:
    if demand.num_accelerated and fits(replace(demand, num_accelerated=0), limits):
        return "no acceleration"
    return None


def _fewer_references(demand: Demand, limits: Limits) -> str | None:
    for count in range(demand.num_references - 1, -1, -1):
        if fits(replace(demand, num_references=count), limits):
            return f"{count} references" if count else "no references"
    return None


def _smaller_picture(demand: Demand, limits: Limits) -> str | None:
    for side in _sides_below(demand.target_tokens):
        if fits(replace(demand, target_tokens=side * side // TOKEN_AREA), limits):
            return f"a picture of {side}x{side}"
    return None


def _sides_below(target_tokens: int) -> Iterator[int]:
    side = int((target_tokens * TOKEN_AREA) ** 0.5) // _SIDE_STEP * _SIDE_STEP
    yield from range(side, _SIDE_STEP, -_SIDE_STEP)
