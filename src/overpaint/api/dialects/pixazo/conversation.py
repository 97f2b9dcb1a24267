"""The one operation that is asked, and answered, in a conversation of one turn."""

from fastapi import APIRouter

from overpaint.api.dialects.pixazo.access import PixazoCallDep
from overpaint.api.dialects.pixazo.convert import FAMILY, to_answer, to_conversation_draft
from overpaint.api.dialects.pixazo.schemas import ERRORS, ConversationBody
from overpaint.api.json_body import described_body
from overpaint.api.models import model_at
from overpaint.api.submission import paint, read_input

router = APIRouter(tags=["pixazo"], responses=ERRORS)
OPERATION = "qwen-image/generateMultimodeTextToImageEditRequest"
EXAMPLE = {
    "model": "qwen-image-edit",
    "input": {"messages": [{"role": "user", "content": [{"image": "https://example.com/a.png"}, {"text": "blue"}]}]},
    "parameters": {"negative_prompt": "", "watermark": False},
}


@router.post(
    "/qwen-image/v1/generateMultimodeTextToImageEditRequest",
    operation_id="pixazo_conversation",
    openapi_extra=described_body(ConversationBody, EXAMPLE),
)
async def converse(call: PixazoCallDep) -> dict[str, object]:
    """Paint, or edit where there are pictures."""
    entry = model_at(call.service.catalogue, OPERATION, FAMILY)
    body = await read_input(call, ConversationBody)
    return to_answer(await paint(call, to_conversation_draft(body, entry.id)), call.links)
