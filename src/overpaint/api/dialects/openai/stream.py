"""OpenAI's events while and when pictures are painted: real looks at them, then the pictures, or why there are none.

No event has an ``id:`` line: the client would take the next blank line for one more event.
"""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

from overpaint.api.deps import Call
from overpaint.api.dialects.openai.answers import to_base64
from overpaint.api.dialects.openai.convert import Kind, Wanted, created_at, size_of, usage_of
from overpaint.api.dialects.openai.errors import to_words
from overpaint.api.errors import raise_unless_painted, status_of
from overpaint.api.sse import SseEvent
from overpaint.core.errors import OverpaintError
from overpaint.core.events import Preview
from overpaint.core.task import Task, TaskOutput
from overpaint.images.alpha import has_alpha
from overpaint.images.encode import encode
from overpaint.service.watch import Ended

_NAMES: dict[Kind, str] = {"generation": "image_generation", "edit": "image_edit"}


async def watch(call: Call, task: Task, wanted: Wanted, kind: Kind) -> AsyncGenerator[SseEvent]:
    """Everything there is to tell of a task, until it is final.

    A client that goes away before its last picture is given this task when it sends the same request again.

    Raises:
        OverpaintError: there are no pictures, or they cannot be had.
    """
    looks: Counter[int] = Counter()
    is_heard = False
    try:
        async for event in call.service.tasks.events(call.caller, task.id):
            what = event.what
            if isinstance(what, Preview) and looks[what.index] < wanted.partial_images:
                yield await _partial(task, what, wanted, looks[what.index], _NAMES[kind])
                looks[what.index] += 1
            elif isinstance(what, Ended):
                raise_unless_painted(what.task)
                for output in what.task.outputs:
                    yield await _completed(call, what.task, output, wanted, _NAMES[kind])
        is_heard = True
    finally:
        if not is_heard:
            call.service.submit.note_unheard(task)


def last_words(error: OverpaintError) -> list[SseEvent]:
    """What ends a stream without pictures; the clients raise for what has an `error`."""
    words = to_words(status_of(error), error)
    body = {"type": words.type, "code": words.code, "message": words.message, "param": words.param}
    return [SseEvent(None, "error", {"type": "error", "error": body})]


async def _partial(task: Task, look: Preview, wanted: Wanted, number: int, name: str) -> SseEvent:
    output = task.spec.output
    data = await asyncio.to_thread(encode, look.picture, output)
    body: dict[str, Any] = {
        "type": f"{name}.partial_image",
        "b64_json": base64.b64encode(data).decode(),
        "created_at": created_at(task),
        "size": f"{look.picture.width}x{look.picture.height}",
        "quality": wanted.quality,
        "background": output.background,
        "output_format": output.format,
        "partial_image_index": number,
    }
    return SseEvent(None, body["type"], body)


async def _completed(call: Call, task: Task, output: TaskOutput, wanted: Wanted, name: str) -> SseEvent:
    content = await call.service.files.read(output.file.key)
    body: dict[str, Any] = {
        "type": f"{name}.completed",
        "b64_json": to_base64(content),
        "created_at": created_at(task),
        "size": size_of(output.file),
        "quality": wanted.quality,
        "background": "transparent" if has_alpha(content.data) else "opaque",
        "output_format": task.spec.output.format,
        "usage": usage_of(task).model_dump(),
    }
    if wanted.safety_identifier:
        body["safety_identifier"] = wanted.safety_identifier
    return SseEvent(None, body["type"], body)
