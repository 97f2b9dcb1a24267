"""A task: a request that was accepted, and everything that must survive until its answer is fetched.

Plain values. Knows no database and no vendor: a dialect turns a `Task` into its own words. Pictures are not in here;
a task names the stored files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from overpaint.core.request import Acceleration, OutputSpec
from overpaint.core.result import Timings
from overpaint.core.sizes import Size


class TaskState(StrEnum):
    """Where a task is. `SUCCEEDED`, `FAILED` and `CANCELLED` are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing can change any more."""
        return not LEGAL_TRANSITIONS[self]


LEGAL_TRANSITIONS: dict[TaskState, frozenset[TaskState]] = {
    TaskState.QUEUED: frozenset({TaskState.RUNNING, TaskState.CANCELLED, TaskState.FAILED}),
    TaskState.RUNNING: frozenset({TaskState.QUEUED, TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED}),
    TaskState.SUCCEEDED: frozenset(),
    TaskState.FAILED: frozenset(),
    TaskState.CANCELLED: frozenset(),
}


class Priority(IntEnum):
    """Who goes first; lower is earlier."""

    INTERACTIVE = 0
    BATCH = 1


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A picture in the output store.

    Args:
        key: its name there (``"outputs/<task>/0.png"``, ``"inputs/<sha256>"``).
        media_type: ``"image/png"`` and the like.
        num_bytes: length.
        width: pixels.
        height: pixels.
    """

    key: str
    media_type: str
    num_bytes: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class StoredAdapter:
    """A LoRA adapter of a task.

    Args:
        name: as its caller named it.
        digest: SHA-256 of the file in hex.
        scale: how strongly to apply it.
        key: in the output store; None when it is one of the operator's own, which stay where they are.
    """

    name: str
    digest: str
    scale: float
    key: str | None = None


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """What was asked, as it is stored: a `GenerationRequest` whose pictures are stored files.

    Args:
        model: public id in the catalogue (``"qwen-image-2.0"``).
        prompt: what the caller wrote; never lost.
        enhanced_prompt: what the model is given instead, when an enhancer ran.
        pictures: references in order.
        mask: as in `GenerationRequest`.
        wording: how the dialect's later answers about it are worded (``{"output": "base64"}``); opaque to others.
        others: as in `GenerationRequest`; `seed` is resolved (never -1) so that a retry repeats it.
    """

    model: str
    prompt: str
    seed: int
    enhanced_prompt: str | None = None
    negative_prompt: str | None = None
    pictures: tuple[StoredFile, ...] = ()
    mask: StoredFile | None = None
    size: Size | float | None = None
    num_images: int = 1
    steps: int | None = None
    true_cfg_scale: float = 1.0
    adapters: tuple[StoredAdapter, ...] = ()
    acceleration: Acceleration = "none"
    output: OutputSpec = field(default_factory=OutputSpec)
    wording: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def painted_prompt(self) -> str:
        """What the model is given."""
        return self.enhanced_prompt or self.prompt


@dataclass(frozen=True, slots=True)
class TaskOutput:
    """One finished picture.

    Args:
        file: where it is.
        seed: that repeats it.
        has_nsfw: what the safety check found; None when it did not run.
    """

    file: StoredFile
    seed: int
    has_nsfw: bool | None = None


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """Why a task failed: the error tree's stable code, and the sentence for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it is stored.

    Args:
        id: 32 lower-case hex digits.
        key_id: the API key (tenant) it belongs to.
        dialect: which dialect took it (``"native"``, ``"wavespeed"``); for webhooks and listings.
        spec: what was asked.
        state: where it is.
        priority: who goes first.
        price_microusd: what it costs when it succeeds, in millionths of a dollar, all pictures together.
        attempt: how often it was leased, without the leases that were handed back uncounted.
        created_at: time-zone aware, UTC; likewise the next two.
        started_at: of the first lease.
        finished_at: when it became final.
        outputs: in order, once it succeeded.
        failure: once it failed.
        timings: once it succeeded.
        webhook_url: to be told when final.
        idempotency_key: as the caller gave it.
    """

    id: str
    key_id: str
    dialect: str
    spec: TaskSpec
    state: TaskState
    priority: Priority
    price_microusd: int
    attempt: int
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    outputs: tuple[TaskOutput, ...] = ()
    failure: TaskFailure | None = None
    timings: Timings | None = None
    webhook_url: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task about to be stored; see `Task` for the fields.

    Args:
        fingerprint: hash of everything that was asked; the same idempotency key with another one is an error.
        failure: why it is refused; it is then stored as failed, told of, and never painted. None queues it.
    """

    id: str
    key_id: str
    dialect: str
    spec: TaskSpec
    priority: Priority
    price_microusd: int
    fingerprint: str
    webhook_url: str | None = None
    idempotency_key: str | None = None
    failure: TaskFailure | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """A task taken by a worker, who renews it while the work is under way.

    Args:
        task: as it was taken.
        worker: who took it; a name that no other process bears, nor an earlier life of the same.
        expires_at: moves on with every renewal, by the worker's clock; time-zone aware, UTC.
        token: names this very lease: it grows with every lease of the task, also with those that count as no attempt.
    """

    task: Task
    worker: str
    expires_at: datetime
    token: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be leased.

    Args:
        num_tasks: queued.
        oldest: when the longest waiting of them was accepted; None when nothing waits.
    """

    num_tasks: int
    oldest: datetime | None
