"""Reading a submission: the endpoint, its input as fal checks it, and the manners that come as headers and query."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError
from starlette.requests import HTTPConnection

from overpaint.api.body import read_body
from overpaint.api.deps import Call
from overpaint.api.dialects.fal.convert import NAME, Manners, in_fals_words, to_draft
from overpaint.api.dialects.fal.endings import REFUSAL
from overpaint.api.dialects.fal.endpoints import Endpoint
from overpaint.api.dialects.fal.findings import from_pydantic
from overpaint.api.errors import BodyTooLargeError, FindingsError, RouteError
from overpaint.api.json_body import parse_json
from overpaint.api.submission import accept
from overpaint.core.errors import RequestError
from overpaint.core.task import Task, TaskFailure
from overpaint.service.draft import Draft

TIMEOUT = "x-fal-request-timeout"
PRIORITY = "x-fal-queue-priority"
LIFECYCLE = "x-fal-object-lifecycle-preference"
FOREVER_S = 1e9
"""A time from which on it bounds nothing: some clients say a hundred years for "never"."""


def manners_of(connection: HTTPConnection, webhook_url: str | None = None) -> Manners:
    """How a request wants to be treated.

    Raises:
        RouteError: a header cannot be understood.
    """
    return Manners(
        webhook_url=webhook_url,
        is_low=connection.headers.get(PRIORITY, "").lower() == "low",
        start_within_s=_positive(TIMEOUT, connection.headers.get(TIMEOUT)),
        expires_s=lifetime_of(connection.headers.get(LIFECYCLE)),
    )


def lifetime_of(preference: str | None) -> int | None:
    """Seconds that a file is to be kept, of a lifecycle header; None is as long as any.

    Raises:
        RouteError: it is not the JSON that it should be.
    """
    if not preference:
        return None
    try:
        seconds = json.loads(preference).get("expiration_duration_seconds")
    except (ValueError, AttributeError) as exc:
        raise _malformed(LIFECYCLE, preference, "must be a JSON object") from exc
    found = _positive(LIFECYCLE, seconds)
    return None if found is None else max(1, int(found))


async def read_input(call: Call) -> object:
    """The body of a submission.

    Raises:
        RequestError: it is no JSON.
    """
    return parse_json(await read_body(call.request, call.config.max_body_bytes))


async def take(call: Call, endpoint: Endpoint, fields: object, manners: Manners) -> Task:
    """Check an input and accept it.

    Raises:
        FindingsError: it breaks a rule; worded as fal words it.
        OverpaintError: as `Submitter.submit`.
    """
    with fals_words(endpoint):
        return await accept(call, to_draft(endpoint.body.model_validate(fields), endpoint, manners))


@contextmanager
def fals_words(endpoint: Endpoint) -> Iterator[None]:
    """Whatever is found wrong with an input inside is told as fal tells it.

    Raises:
        FindingsError: in the place of other errors of the input.
    """
    try:
        yield
    except ValidationError as exc:
        raise from_pydantic(exc) from exc
    except BodyTooLargeError:
        raise
    except RequestError as exc:
        raise in_fals_words(exc, endpoint) from exc


async def take_or_refuse(call: Call, endpoint: Endpoint, fields: object, manners: Manners) -> Task:
    """Accept an input, or a failed request in its place: fal's queue takes everything and answers where results are."""
    try:
        return await take(call, endpoint, fields, manners)
    except FindingsError as error:
        wording = manners.words(endpoint.id) | {REFUSAL: json.dumps(list(error.findings))}
        draft = Draft(endpoint.id, "", NAME, webhook_url=manners.webhook_url, wording=wording)
        with fals_words(endpoint):
            return await call.service.submit.refuse(call.caller, draft, TaskFailure(error.code, error.message))


def _positive(name: str, value: object) -> float | None:
    """Seconds that a header names, where they bound anything."""
    if value is None:
        return None
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if not 0 < number < math.inf:
        raise _malformed(name, value, "must be a number of seconds")
    return number if number < FOREVER_S else None


def _malformed(name: str, value: object, rule: str) -> RouteError:
    """What fal answers to a header that cannot be understood: the request is malformed, its input is not to blame."""
    return RouteError(400, RequestError(name, value, rule).message)
