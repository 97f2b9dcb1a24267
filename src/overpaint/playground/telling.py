"""What went wrong, as a sentence in the visitor's language that calls a field as the form does. Decides nothing."""

import re
from html import escape

from overpaint.core.errors import ContentError, OverpaintError, PictureError, RequestError, UnreachablePictureError
from overpaint.core.task import TaskFailure
from overpaint.playground.wording import Words

PICTURE_FIELDS = ("images", "mask", "file")
_LABELS = {
    "images": "references",
    "negative_prompt": "negative",
    "num_images": "count",
    "true_cfg_scale": "guidance",
    "size": "fact_size",
}
"""The words for fields that the service calls otherwise than the form."""
_UNSPOKEN = ("prompt", "negative_prompt", "mask", "name")
"""Fields whose value says nothing more in a sentence: it stands there, or is no text."""
_QUOTES = "'\""
_OF_THE_REQUEST = frozenset(error.code for error in (RequestError, PictureError, UnreachablePictureError, ContentError))
_REFUSAL = re.compile(r"(\S+): ('(?:[^'\\]|\\.)*'|\"[^\"]*\"|\S+) (.+)", re.DOTALL)
"""How such an error is stored: field, value and rule in one sentence."""


def sentence(error: OverpaintError, words: Words) -> str:
    """The error for people."""
    if not isinstance(error, RequestError):
        return words.rule(error.message)
    rule, label = words.rule(error.rule), _label(error.field, words)
    value = error.message.removeprefix(f"{error.field}: ").removesuffix(f" {error.rule}")
    value = f"“{value.strip(_QUOTES)}”" if isinstance(error.value, str) else value
    if not label:
        return words.say("told_plain", field=value, rule=rule)
    if error.value is None or error.field in _UNSPOKEN:
        return words.say("told_plain", field=label, rule=rule)
    return words.say("told_value", field=label, value=value, rule=rule)


def reason(failure: TaskFailure, words: Words) -> str:
    """Why a run failed, for people."""
    found = _REFUSAL.fullmatch(failure.message) if failure.code in _OF_THE_REQUEST else None
    if found is None:
        return words.rule(failure.message)
    field, value, rule = found.groups()
    return sentence(RequestError(field, value.strip(_QUOTES), rule), words)


def told(error: OverpaintError, words: Words) -> tuple[str, str]:
    """An error as two pieces of HTML: for below the run button, and for below the pictures."""
    text = f'<p role="alert" class="op-problem">{escape(sentence(error, words))}</p>'
    is_about_pictures = isinstance(error, RequestError) and error.field.startswith(PICTURE_FIELDS)
    return ("", text) if is_about_pictures else (text, "")


def _label(field: str, words: Words) -> str:
    """What the form calls a field; a picture by its number, and nothing for a file, whose value is its name."""
    name, _, index = field.partition("[")
    if name == "images" and index:
        return f"{words['picture']} {int(index.rstrip(']')) + 1}"
    return "" if name == "file" else words.get(_LABELS.get(name, name), name)
