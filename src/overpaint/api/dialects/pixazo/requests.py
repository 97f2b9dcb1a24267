"""Requests: submitted at any operation's path, and looked at afterwards, in the newer way and in the older one.

The paths of operations are catch-alls: their routes come after all others.
"""

from typing import Annotated

from fastapi import APIRouter, Header, Query

from overpaint.api.deps import Call, note_task
from overpaint.api.dialects.pixazo.access import PixazoCallDep
from overpaint.api.dialects.pixazo.convert import FAMILY, task_id_of, to_draft, to_state
from overpaint.api.dialects.pixazo.schemas import ERRORS, OperationInput, RequestState, ResultInput
from overpaint.api.errors import raise_unless_painted
from overpaint.api.json_body import described_body
from overpaint.api.models import model_at
from overpaint.api.submission import accept, finish, read_input

router = APIRouter(tags=["pixazo"], responses=ERRORS)
RESPOND_ASYNC = "respond-async"
EXAMPLE = {"image_url": "https://example.com/a.png", "prompt": "make it blue", "num_inference_steps": 4}
RESULT = "-result"

PreferHeader = Annotated[str | None, Header(alias="Prefer", description="`respond-async` answers at once.")]
AsyncQuery = Annotated[bool, Query(alias="async", description="As `Prefer: respond-async`.")]


@router.get("/v2/requests/status/{request_id}", operation_id="pixazo_status", response_model_exclude_none=True)
async def status(request_id: str, call: PixazoCallDep) -> RequestState:
    """A request as it is now; also with 200 when it failed."""
    return await _state(call, request_id)


@router.post("/v2/requests/status/{request_id}", operation_id="pixazo_status_post", response_model_exclude_none=True)
async def status_by_post(request_id: str, call: PixazoCallDep) -> RequestState:
    """The same: some pages say POST."""
    return await _state(call, request_id)


@router.get("/{api}/v1/result/{request_id}", operation_id="pixazo_result", response_model_exclude_none=True)
async def result(api: str, request_id: str, call: PixazoCallDep) -> RequestState:  # noqa: ARG001 - said by the id, too
    """The same, in the older way."""
    return await _state(call, request_id)


@router.post(
    "/{api}/v1/{operation:path}" + RESULT,
    operation_id="pixazo_operation_result",
    openapi_extra=described_body(ResultInput),
    response_model_exclude_none=True,
)
async def result_by_post(api: str, operation: str, call: PixazoCallDep) -> RequestState:  # noqa: ARG001 - likewise
    """The same, in the oldest way."""
    return await _state(call, (await read_input(call, ResultInput)).request_id)


@router.post(
    "/{api}/v1/{operation:path}",
    operation_id="pixazo_submit",
    openapi_extra=described_body(OperationInput, EXAMPLE),
    response_model_exclude_none=True,
)
async def submit(
    api: str, operation: str, call: PixazoCallDep, prefer: PreferHeader = None, is_async: AsyncQuery = False
) -> RequestState:
    """Paint or edit; answers with the pictures, or, when asked to or they take too long, with a request to poll."""
    entry = model_at(call.service.catalogue, f"{api}/{operation}", FAMILY)
    body = await read_input(call, OperationInput)
    task = await accept(call, to_draft(body, entry.id))
    if not is_async and RESPOND_ASYNC not in (prefer or ""):
        task = await finish(call, task)
        if task.state.is_final:
            raise_unless_painted(task)
    return to_state(task, call.links)


async def _state(call: Call, request_id: str) -> RequestState:
    task = await call.service.tasks.get(call.caller, task_id_of(request_id))
    note_task(call.request, task)
    return to_state(task, call.links)
