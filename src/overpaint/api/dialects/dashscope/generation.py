"""The four painting calls. They take the same body; what differs is how their pictures are answered.

With ``X-DashScope-Async: enable`` a call is answered at once with a task, without it when the pictures are there.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response

from overpaint.api.deps import Call, CallDep
from overpaint.api.described import stream_answer
from overpaint.api.dialects.dashscope.answers import accepted, finished
from overpaint.api.dialects.dashscope.convert import FAMILY, to_draft
from overpaint.api.dialects.dashscope.schemas import ERRORS, Form, Submission
from overpaint.api.error_answers import json_answer
from overpaint.api.json_body import described_body
from overpaint.api.models import model_named
from overpaint.api.sse import HEADERS, SseEvent
from overpaint.api.submission import accept, paint, read_input

router = APIRouter(prefix="/api/v1/services/aigc", tags=["dashscope"], responses=ERRORS)
ENABLED = "enable"
TURN = {
    "model": "qwen-image-edit-plus",
    "input": {"messages": [{"role": "user", "content": [{"image": "https://example.com/a.png"}, {"text": "blue"}]}]},
    "parameters": {"n": 1, "size": "1024*1024"},
}
WORDS = {"model": "qwen-image-plus", "input": {"prompt": "a cat"}, "parameters": {"n": 1}}

AsyncHeader = Annotated[str | None, Header(alias="X-DashScope-Async", description="`enable` answers with a task.")]
StreamHeader = Annotated[str | None, Header(alias="X-DashScope-SSE", description="`enable` answers as an event.")]


@router.post(
    "/multimodal-generation/generation",
    operation_id="dashscope_multimodal",
    openapi_extra=described_body(Submission, TURN),
    responses=stream_answer("The next turn, in JSON or as one event."),
)
async def multimodal(call: CallDep, async_mode: AsyncHeader = None, sse_mode: StreamHeader = None) -> Response:
    """Paint or edit by a conversation of one turn."""
    body = await _run(call, "choices", async_mode)
    if sse_mode != ENABLED or async_mode == ENABLED:
        return json_answer(200, body)
    return Response(SseEvent(1, "result", body).encode(), media_type="text/event-stream", headers=HEADERS)


@router.post(
    "/image-generation/generation", operation_id="dashscope_generation", openapi_extra=described_body(Submission, TURN)
)
async def image_generation(call: CallDep, async_mode: AsyncHeader = None) -> Response:
    """The same for newer models; its callers want a task."""
    return json_answer(200, await _run(call, "choices", async_mode))


@router.post(
    "/text2image/image-synthesis", operation_id="dashscope_text2image", openapi_extra=described_body(Submission, WORDS)
)
async def text2image(call: CallDep, async_mode: AsyncHeader = None) -> Response:
    """Paint by a prompt."""
    return json_answer(200, await _run(call, "results", async_mode))


@router.post(
    "/image2image/image-synthesis",
    operation_id="dashscope_image2image",
    openapi_extra=described_body(Submission, WORDS),
)
async def image2image(call: CallDep, async_mode: AsyncHeader = None) -> Response:
    """Edit by a prompt, with or without a mask."""
    return json_answer(200, await _run(call, "results", async_mode))


async def _run(call: Call, form: Form, async_mode: str | None) -> dict[str, Any]:
    body = await read_input(call, Submission)
    entry = model_named(call.service.catalogue, body.model, FAMILY)
    draft = to_draft(body, entry.id, form)
    if async_mode == ENABLED:
        return accepted(await accept(call, draft))
    return finished(await paint(call, draft), call.links)
