"""WaveSpeed's error envelope, and its application codes for the error tree.

Source: https://wavespeed.ai/docs/error-codes
"""

import re

from fastapi import Response

from overpaint.api.error_answers import json_answer
from overpaint.api.field_names import in_words
from overpaint.core.errors import OverpaintError
from overpaint.core.task import TaskFailure

OK = 0
MODERATED = 1200
MISSING = 1400
INVALID = 1401
UNREACHABLE = 1402
NOT_EXECUTED = 1403
FAILED = 1405
INTERNAL = 5000
UNAVAILABLE = 5003
TIMED_OUT = 5004

HARMLESS = {"http ": "status ", "timeout": "time-out", "connection": "line"}
RETRIED = re.compile("|".join(HARMLESS), re.IGNORECASE)
"""Words that have clients submit a failed task again, and what is said in their place."""

FIELD_NAMES = {"adapters": "loras"}
CODE_OF: dict[str, int] = {
    "content": MODERATED,
    "missing": MISSING,
    "invalid_request": INVALID,
    "invalid_picture": INVALID,
    "unreachable_picture": UNREACHABLE,
    "too_large": INVALID,
    "task": INVALID,
    "not_found": INVALID,
    "route": INVALID,
    "access": INVALID,
    "forbidden": INVALID,
    "cancelled": FAILED,
    "unfinished": TIMED_OUT,
    "backend": NOT_EXECUTED,
    "no_numbers": NOT_EXECUTED,
    "no_capacity": UNAVAILABLE,
    "oversize": INVALID,
    "rate_limit": UNAVAILABLE,
    "budget": UNAVAILABLE,
    "config": INTERNAL,
    "setting": INTERNAL,
    "checkpoint": INTERNAL,
    "error": INTERNAL,
}


def render_error(status: int, error: OverpaintError) -> Response:
    """The answer to a request that ended with `error`."""
    text = in_words(error, FIELD_NAMES)
    body = {"code": status, "message": text, "data": {"code": code_of(error.code), "error": text}}
    return json_answer(status, body)


def code_of(code: str) -> int:
    """The application code of an error of the tree."""
    return CODE_OF.get(code, INTERNAL)


def error_text(failure: TaskFailure) -> str:
    """What a failed task says.

    The clients, when they are told to retry, submit a failed task again if it says ``HTTP 5`` or ``HTTP 429``, npm's
    in any case, and for ``timeout`` and ``connection`` too. What a message repeats of a prompt must not read like that.
    """
    return RETRIED.sub(lambda found: HARMLESS[found[0].lower()], failure.message)
