"""What crosses the pipe between the two processes. Frozen plain values, both ways; nothing else is ever sent."""

from dataclasses import dataclass

from overpaint.core.engine_stats import EngineStats
from overpaint.core.errors import OverpaintError
from overpaint.core.events import Event
from overpaint.core.model_info import ModelInfo
from overpaint.core.request import GenerationRequest
from overpaint.core.terms import Terms

# --- to the child


@dataclass(frozen=True, slots=True)
class Submit:
    """Take this task; answered with `Accepted` or `Refused`.

    Args:
        run: counts submits, for a task may be submitted again; what comes back names it.
        task_id: names the task.
        request: what to paint.
        terms: for whom and how urgently.
    """

    run: int
    task_id: str
    request: GenerationRequest
    terms: Terms


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop all that was submitted under this id, at the next step boundary; not answered, its stream ends."""

    task_id: str


@dataclass(frozen=True, slots=True)
class Write:
    """Answer `words` as a language model told `instructions`; answered with `Written`."""

    text_id: int
    instructions: str
    words: str
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Close:
    """End: fail what is left and exit."""


ToChild = Submit | Cancel | Write | Close

# --- from the child


@dataclass(frozen=True, slots=True)
class Warming:
    """The first pictures have come a step further."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The checkpoint is loaded and warm; the first message of a child that can work."""

    info: ModelInfo


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """There will be no engine; the child exits."""

    error: OverpaintError


@dataclass(frozen=True, slots=True)
class Accepted:
    """The task is taken; its events follow."""

    run: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The task is not taken, and why."""

    run: int
    error: OverpaintError


@dataclass(frozen=True, slots=True)
class Told:
    """News of a task."""

    run: int
    event: Event


@dataclass(frozen=True, slots=True)
class Written:
    """A text, or why there is none."""

    text_id: int
    outcome: str | OverpaintError


@dataclass(frozen=True, slots=True)
class Counted:
    """What the engine has counted so far; comes every now and then, when it has changed."""

    stats: EngineStats


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the child's log.

    Args:
        logger: name of whoever logged it.
        level: as `logging` has it.
        created_s: seconds since 1970.
        message: in words.
        traceback: of the exception that it is about.
    """

    logger: str
    level: int
    created_s: float
    message: str
    traceback: str | None


@dataclass(frozen=True, slots=True)
class Logged:
    """What the child logged since the last of these, but for `num_dropped` lines that were too many."""

    lines: tuple[LogLine, ...]
    num_dropped: int


FromChild = Warming | Loaded | LoadFailed | Accepted | Refused | Told | Written | Counted | Logged
