"""v1: one call that is answered with the bytes of the picture."""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Response

from overpaint.api.balance import balance_usd
from overpaint.api.deps import Call
from overpaint.api.described import picture_answer
from overpaint.api.dialects.segmind.access import SegmindCallDep
from overpaint.api.dialects.segmind.convert import FAMILY, to_draft
from overpaint.api.dialects.segmind.schemas import ERRORS, ModelInput
from overpaint.api.error_answers import json_answer
from overpaint.api.file_answer import FileAnswer
from overpaint.api.inline import read_inline
from overpaint.api.json_body import described_body
from overpaint.api.models import model_at
from overpaint.api.submission import paint, read_input
from overpaint.core.task import Task

EXAMPLE = {
    "image": "https://example.com/input.jpg",
    "prompt": "change the background to a white studio setting",
    "num_inference_steps": 8,
}
PICTURE = picture_answer("The picture; with `base64`, JSON with the picture in `image`.", "application/json")
router = APIRouter(tags=["segmind"], responses=ERRORS)


@router.post(
    "/v1/{slug}",
    operation_id="segmind_run",
    openapi_extra=described_body(ModelInput, EXAMPLE),
    responses=PICTURE,
    response_class=Response,
)
async def run(slug: str, call: SegmindCallDep) -> Response:
    """Paint or edit, and answer with the picture."""
    entry = model_at(call.service.catalogue, slug, FAMILY)
    body = await read_input(call, ModelInput)
    task = await paint(call, to_draft(body, entry))
    file = task.outputs[0].file
    if body.base64:
        answer = json_answer(200, {"image": (await read_inline(call.service, file)).base64})
    else:
        answer = FileAnswer(call.service.files, file.key)
    answer.headers.update(await _headers(call, task))
    return answer


async def _headers(call: Call, task: Task) -> dict[str, str]:
    """What Segmind's gateway tells beside the picture."""
    headers = {"x-remaining-credits": f"{await balance_usd(call.service, call.caller):.4f}"}
    if task.timings:
        headers["x-generation-time"] = f"{task.timings.work_s:.3f}"
    rate = call.service.limits.state(call.caller)
    if rate is not None:
        reset = datetime.now(UTC) + timedelta(seconds=rate.reset_s)
        headers["x-rate-limit-remaining"] = str(rate.remaining)
        headers["x-rate-limit-reset-at-utc"] = reset.isoformat(timespec="seconds")
    return headers
