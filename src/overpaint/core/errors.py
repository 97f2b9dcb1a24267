"""Every error Overpaint raises on purpose.

Knows nothing of HTTP, exit codes or torch: the borders (CLI, dialects) map `code` and `retryable` to their own words.

    OverpaintError
    ├── RequestError        the caller can fix it: names field, value and rule
    │   ├── PictureError    an input picture that cannot be used
    │   │   └── UnreachablePictureError   it cannot be had from its URL
    │   └── ContentError    refused by the safety rules
    ├── AccessError         who asks may not: no key, wrong key, not an admin
    ├── CapacityError       nothing is wrong, but not now or not this large
    │   ├── OversizeError        this device could never hold it; names what it could
    │   ├── RateLimitError       too many requests; names when to try again
    │   └── BudgetError          the key's budget is spent
    ├── TaskError           the task is not in a state that allows this
    │   ├── TaskNotFoundError    there is no such task, file or result (any more)
    │   └── CancelledTaskError   it was cancelled
    ├── BackendError        a part below us failed: engine, device, file system
    │   └── NoNumbersError       what was painted are no numbers
    └── ConfigError         found at start-up: settings, checkpoint, device
        ├── SettingError         one setting, by name
        └── CheckpointError      a checkpoint that is missing, damaged or not ours
"""

import math
from typing import ClassVar


class OverpaintError(Exception):
    """Something went wrong in Overpaint."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)

    @property
    def message(self) -> str:
        """The sentence for people, without a trailing newline."""
        return str(self)


class RequestError(OverpaintError):
    """The request breaks a rule.

    Args:
        field: name of the offending field, as the request calls it (``"size"``, ``"images[2]"``).
        value: the offending value; shortened in the message.
        rule: the rule it breaks, as a full clause (``"must be a multiple of 32"``).
    """

    code: ClassVar[str] = "invalid_request"

    def __init__(self, field: str, value: object, rule: str) -> None:
        self.field = field
        self.value = value
        self.rule = rule
        super().__init__(f"{field}: {_shorten(value)} {rule}")

    def __reduce__(self) -> tuple[type["RequestError"], tuple[str, object, str]]:
        return type(self), (self.field, self.value, self.rule)


class PictureError(RequestError):
    """An input picture cannot be used."""

    code: ClassVar[str] = "invalid_picture"


class UnreachablePictureError(PictureError):
    """An input picture cannot be had from its URL."""

    code: ClassVar[str] = "unreachable_picture"


class ContentError(RequestError):
    """The safety rules refuse this."""

    code: ClassVar[str] = "content"


class AccessError(OverpaintError):
    """This key may not do that."""

    code: ClassVar[str] = "access"


class CapacityError(OverpaintError):
    """There is no room for this now."""

    code: ClassVar[str] = "no_capacity"
    retryable: ClassVar[bool] = True


class OversizeError(CapacityError):
    """This device could never hold this, whatever else it let go of."""

    code: ClassVar[str] = "oversize"
    retryable: ClassVar[bool] = False


class RateLimitError(CapacityError):
    """Too many requests.

    Args:
        message: the sentence for people.
        retry_after_s: seconds until it makes sense to try again.
    """

    code: ClassVar[str] = "rate_limit"

    def __init__(self, message: str | None = None, retry_after_s: float = 1.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)

    @property
    def retry_after_whole_s(self) -> int:
        """The same for headers that take no fraction, rounded up: who tried again earlier would be refused again."""
        return max(1, math.ceil(self.retry_after_s))


class BudgetError(CapacityError):
    """The key's budget for this month is spent."""

    code: ClassVar[str] = "budget"
    retryable: ClassVar[bool] = False


class TaskError(OverpaintError):
    """The task is not in a state that allows this."""

    code: ClassVar[str] = "task"


class TaskNotFoundError(TaskError):
    """There is no such task."""

    code: ClassVar[str] = "not_found"


class CancelledTaskError(TaskError):
    """The task was cancelled."""

    code: ClassVar[str] = "cancelled"


class BackendError(OverpaintError):
    """A part that Overpaint stands on failed."""

    code: ClassVar[str] = "backend"
    retryable: ClassVar[bool] = True


class NoNumbersError(BackendError):
    """What was painted are no numbers (NaN).

    In float16 a checkpoint may overflow, then take bfloat16 or float32; otherwise its weights are damaged.
    """

    code: ClassVar[str] = "no_numbers"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join(str(type(self).__doc__).split()))


class ConfigError(OverpaintError):
    """The configuration cannot be used."""

    code: ClassVar[str] = "config"


class SettingError(ConfigError):
    """A setting cannot be used.

    Args:
        setting: its name, as the configuration calls it; whoever tells people knows where they said it.
        problem: what is wrong with its value and what to do, as a clause that begins with the value.
    """

    code: ClassVar[str] = "setting"

    def __init__(self, setting: str, problem: str) -> None:
        self.setting = setting
        self.problem = problem
        super().__init__(f"{setting}: {problem}")

    def __reduce__(self) -> tuple[type["SettingError"], tuple[str, str]]:
        return type(self), (self.setting, self.problem)


class CheckpointError(ConfigError):
    """The checkpoint is missing, damaged or of another kind.

    Args:
        path: the file or folder at fault.
        problem: what is wrong with it and what to do, as a clause.
    """

    code: ClassVar[str] = "checkpoint"

    def __init__(self, path: object, problem: str) -> None:
        self.path = str(path)
        self.problem = problem
        super().__init__(f"checkpoint: {path} {problem}")

    def __reduce__(self) -> tuple[type["CheckpointError"], tuple[str, str]]:
        return type(self), (self.path, self.problem)


def _shorten(value: object, limit: int = 80) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
