"""What a failed command says and how it exits.

One line on stderr, no traceback. Exit codes: 2 when the command itself must change (a flag, a setting, a given
picture), 1 when it was right and something failed while it ran (checkpoint, disk), 130 when it was interrupted.
"""

import sys
import traceback

from overpaint.core.errors import BackendError, CheckpointError, ConfigError, OverpaintError, RequestError, SettingError
from overpaint.settings import flag, is_debugging, variable

OK = 0
FAILED = 1
USAGE = 2
INTERRUPTED = 130


class InterruptedWorkError(Exception):
    """Somebody pressed Ctrl-C; what was done until then is kept."""


def exit_code_of(error: OverpaintError) -> int:
    """The exit code of a command that ended with `error`."""
    if isinstance(error, CheckpointError):
        return FAILED
    return USAGE if isinstance(error, RequestError | ConfigError) else FAILED


def tell(error: BaseException) -> None:
    """Write `error` as one line on stderr, and its traceback where `OVERPAINT_DEBUG` asks for it."""
    if is_debugging():
        traceback.print_exception(error, file=sys.stderr)
    tell_line(message_of(error) if isinstance(error, OverpaintError) else _describe(error))


def message_of(error: OverpaintError) -> str:
    """The sentence for people at a terminal: a setting is called what they wrote it as, a flag or a variable."""
    if not isinstance(error, SettingError):
        return error.message
    return f"{flag(error.setting)} ({variable(error.setting)}): {error.problem}"


def tell_line(message: str) -> None:
    """Write `message` as one line on stderr."""
    sys.stderr.write(f"error: {' '.join(message.split())}\n")


def disk_error(path: object, error: OSError) -> BackendError:
    """What to say when the file system refuses an output."""
    reason = (error.strerror or str(error)).lower()
    return BackendError(f"output: '{path}' could not be written: {reason}; nothing was left behind")


def _describe(error: BaseException) -> str:
    name = type(error).__name__
    return f"unexpected {name}: {error} (OVERPAINT_DEBUG=1 shows where)"
