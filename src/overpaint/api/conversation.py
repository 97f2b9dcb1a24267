"""Pictures asked for as one turn of a conversation, and answered as the next. Knows no dialect.

``{"messages": [{"role": "user", "content": [{"image": URL}, {"text": WORDS}]}]}`` is answered by
``{"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": [{"image": URL}]}}]}``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from overpaint.api.json_numbers import Whole
from overpaint.core.errors import RequestError
from overpaint.core.request import MAX_SEED, RANDOM_SEED
from overpaint.service.draft import Draft, PictureSource, picture_source

MAX_NEGATIVE_CHARS = 500


class Part(BaseModel):
    """A picture or words."""

    image: str | None = Field(default=None, description="URL, data URI or base64.")
    text: str | None = None


class Message(BaseModel):
    """One turn."""

    role: str = Field(default="user", examples=["user"])
    content: str | list[Part]

    @property
    def parts(self) -> list[Part]:
        """Its content; a bare text is one part."""
        return [Part(text=self.content)] if isinstance(self.content, str) else self.content


class TurnParameters(BaseModel):
    """What can be said beside a turn."""

    n: Whole | None = Field(default=None, description="How many pictures.", examples=[1])
    size: str | None = Field(default=None, description='"W*H".', examples=["1024*1024"])
    negative_prompt: str | None = None
    seed: Whole | None = Field(default=None, description=f"0 to {MAX_SEED}.")
    prompt_extend: bool | None = Field(default=None, description="Whether to enrich the prompt.")
    watermark: bool | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What a turn asks: words, and pictures in the order they are counted, each with the field that it stands in."""

    prompt: str
    images: tuple[tuple[str, str], ...]


def read_turn(messages: Sequence[Message], field: str) -> Turn:
    """The one turn of a conversation.

    Args:
        messages: as they were sent.
        field: what the request calls them.

    Raises:
        RequestError: there is not exactly one, it is nobody's who asks, or it has not exactly one text.
    """
    if len(messages) != 1 or messages[0].role != "user":
        raise RequestError(field, f"{len(messages)} messages", "must be exactly one message with the role user")
    parts = messages[0].parts
    texts = [part.text for part in parts if part.text is not None]
    if len(texts) != 1:
        raise RequestError(f"{field}[0].content", f"{len(texts)} texts", "must have exactly one text")
    images = [(f"{field}[0].content[{at}].image", part.image) for at, part in enumerate(parts)]
    return Turn(texts[0], tuple((name, image) for name, image in images if image is not None))


def draft_of(
    turn: Turn,
    body: TurnParameters,
    model: str,
    dialect: str,
    source: Callable[[str, str], PictureSource] = picture_source,
) -> Draft:
    """What a turn and its parameters ask for.

    Args:
        turn: words and pictures.
        body: the parameters.
        model: its id in the catalogue.
        dialect: whose task it will be.
        source: tells what a picture's text stands for, given the name of its field.

    Raises:
        PictureError: a picture's text stands for nothing.
    """
    return Draft(
        model=model,
        prompt=turn.prompt,
        dialect=dialect,
        negative_prompt=negative_words(body.negative_prompt),
        pictures=tuple(source(text, field) for field, text in turn.images),
        size=body.size or None,
        seed=RANDOM_SEED if body.seed is None else body.seed,
        num_images=1 if body.n is None else body.n,
        enhance=body.prompt_extend,
    )


def answer(urls: Sequence[str], extra: dict[str, str] | None = None) -> dict[str, Any]:
    """The turn that answers, all pictures in one message.

    Args:
        urls: of the pictures.
        extra: what each of them carries besides.
    """
    content = [(extra or {}) | {"image": url} for url in urls]
    return {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": content}}]}


def negative_words(text: str | None) -> str | None:
    """What to steer away from: a blank is nothing, and what is too long is cut, as documented."""
    return text[:MAX_NEGATIVE_CHARS] if text and text.strip() else None
