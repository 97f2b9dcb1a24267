"""What is wrong with an input, as fal lists it: place, sentence, type, and what was sent.

Source: https://docs.fal.ai/errors
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from overpaint.api.dialects.fal.kinds import kind_of, kind_of_pydantic
from overpaint.api.errors import FindingsError
from overpaint.api.field_names import in_words
from overpaint.api.findings import from_validation
from overpaint.core.errors import RequestError

Finding = dict[str, Any]
_MAX_ECHO = 200


def findings_of(error: RequestError, names: Mapping[str, str] | None = None) -> list[Finding]:
    """What is wrong with an input.

    Args:
        error: any.
        names: fal's names of fields, by the service's.
    """
    if isinstance(error, FindingsError) and error.findings:
        return [dict(one) for one in error.findings]
    message = in_words(error, names or {})
    kind, context = kind_of(error)
    words = "Field required" if kind == "missing" else message
    if words != message:
        context = context | {"error": message}
    return [finding(["body", *_steps_to(message.partition(":")[0])], words, kind, error.value, context)]


def from_pydantic(exc: ValidationError) -> RequestError:
    """Everything that pydantic found, as fal shows it."""
    first = from_validation(exc)
    findings = [_from_detail(one) for one in exc.errors(include_url=False)]
    return FindingsError(findings, first.field, first.value, first.rule)


def finding(
    loc: Sequence[str | int], text: str, kind: str, value: object = None, context: Mapping[str, object] | None = None
) -> Finding:
    """One thing that is wrong.

    Args:
        loc: where in the request.
        text: the sentence for people.
        kind: one of fal's types.
        value: what was sent.
        context: what fal tells beside the type.
    """
    found: Finding = {"loc": list(loc), "msg": text, "type": kind, "url": f"https://docs.fal.ai/errors/#{kind}"}
    told = {"ctx": dict(context)} if context else {}
    return found | told | ({} if value is None else {"input": _echo(value)})


def _from_detail(detail: Mapping[str, Any]) -> Finding:
    kind, context = kind_of_pydantic(detail["type"], detail.get("ctx", {}))
    return finding(["body", *_place(detail["loc"])], detail["msg"], kind, detail["input"], context)


def _steps_to(name: str) -> list[str | int]:
    """Where a field is: ``"image_urls[1]"`` is two steps, the body itself none."""
    parts = re.findall(r"[^.\[\]]+", name.removeprefix("body"))
    return [int(part) if part.isdigit() else part for part in parts]


def _place(location: tuple[str | int, ...]) -> list[str | int]:
    """Where in the body; of a choice of types, pydantic names each, which is no place."""
    return [part for part in location if part != "ImageSize" and not str(part).startswith("literal[")]


def _echo(value: object) -> object:
    """What was sent, as JSON can say it, unless it is long: pictures are not sent back."""
    try:
        text = json.dumps(value, default=str, allow_nan=False)
    except (TypeError, ValueError):
        text = json.dumps(str(value))
    return json.loads(text) if len(text) <= _MAX_ECHO else f"{text[:_MAX_ECHO]}..."
