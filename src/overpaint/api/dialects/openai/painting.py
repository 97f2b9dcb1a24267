"""What the calls that paint share: how a request is sent, and from its body to the pictures or their stream."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Depends, Header, Response

from overpaint.api.deps import Call
from overpaint.api.dialects.openai import models
from overpaint.api.dialects.openai.answers import as_files, as_json
from overpaint.api.dialects.openai.body import read_image_body
from overpaint.api.dialects.openai.convert import Kind, to_draft, to_wanted
from overpaint.api.dialects.openai.stream import last_words, watch
from overpaint.api.sse import event_stream
from overpaint.api.submission import accept, paint


class Sent:
    """How a request was sent, beside its body."""

    def __init__(
        self,
        idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
        x_stainless_retry_count: Annotated[str | None, Header(description="Told by the clients.")] = None,
    ) -> None:
        self.idempotency_key = idempotency_key
        self.is_retry = (x_stainless_retry_count or "0") != "0"


SentDep = Annotated[Sent, Depends()]


async def answer(call: Call, sent: Sent, response: Response, kind: Kind, model: str | None = None) -> Any:
    """Paint what a call asks for, and answer in the shape that it wants.

    Args:
        call: its body is read here.
        sent: its headers.
        response: takes headers of the answer.
        kind: which of the three calls.
        model: that the path names; the body's counts without.
    """
    whole = await read_image_body(call)
    body = whole.fields.model_copy(update={"model": model}) if model else whole.fields
    entry = models.find(call.service.catalogue, body.model)
    wanted = to_wanted(body, kind)
    draft = to_draft(body, entry, kind, whole.pictures, whole.mask, whole.mask_image)
    draft = replace(draft, idempotency_key=sent.idempotency_key, is_retry=sent.is_retry)
    if wanted.is_stream:
        task = await accept(call, draft)
        events = watch(call, task, wanted, kind)
        return event_stream(events, call.closing, retry_ms=None, last_words=last_words)
    task = await paint(call, draft)
    if wanted.response_format == "file":
        return await as_files(call, task)
    return await as_json(call, response, task, wanted)
