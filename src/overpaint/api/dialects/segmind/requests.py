"""v2: a submission is answered at once, and polled. A failed request is HTTP 422 there, with its state in the body."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Response

from overpaint.api.deps import Call, note_task
from overpaint.api.dialects.segmind.access import SegmindCallDep
from overpaint.api.dialects.segmind.convert import FAMILY, to_draft, to_state, to_submitted
from overpaint.api.dialects.segmind.schemas import ERRORS, ModelInput, RequestState, Submitted
from overpaint.api.json_body import described_body
from overpaint.api.models import model_at
from overpaint.api.submission import accept, read_input
from overpaint.api.task_ids import undashed

FAILED_STATUS = 422
FAILED: dict[int | str, dict[str, Any]] = {
    FAILED_STATUS: {"model": RequestState, "description": "The request failed; `error` says why."}
}
EXAMPLE = {"prompt": "a cat", "steps": 8}
router = APIRouter(tags=["segmind"], responses=ERRORS)
_polled = partial(router.get, responses=FAILED, response_model_exclude_none=True)


@_polled("/v2/requests/{request_id}/status", operation_id="segmind_status")
async def status(call: SegmindCallDep, response: Response, request_id: str) -> RequestState:
    """Where a request is, without its picture."""
    return await _state(call, response, request_id, with_output=False)


@_polled("/v1/requests/{request_id}", operation_id="segmind_poll")
@_polled("/v2/requests/{request_id}", operation_id="segmind_result")
async def result(call: SegmindCallDep, response: Response, request_id: str) -> RequestState:
    """A request with its picture once there is one; the path below `v1` is the older one."""
    return await _state(call, response, request_id, with_output=True)


@router.post("/v2/{slug}", operation_id="segmind_submit", openapi_extra=described_body(ModelInput, EXAMPLE))
async def submit(slug: str, call: SegmindCallDep) -> Submitted:
    """Submit a request; poll it at `status_url`."""
    entry = model_at(call.service.catalogue, slug, FAMILY)
    return to_submitted(await accept(call, to_draft(await read_input(call, ModelInput), entry)), call.links)


async def _state(call: Call, response: Response, request_id: str, *, with_output: bool) -> RequestState:
    task = await call.service.tasks.get(call.caller, undashed(request_id))
    note_task(call.request, task)
    state = to_state(task, call.links, with_output=with_output)
    if state.status == "FAILED":
        response.status_code = FAILED_STATUS
    return state
