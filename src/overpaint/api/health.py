"""For whoever runs the server: is the process alive, can it work, and its numbers. No key needed."""

from contextlib import suppress
from typing import cast

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from overpaint.api.deps import ClosingDep, ServiceDep
from overpaint.api.metrics import CONTENT_TYPE, Metrics
from overpaint.core.errors import BackendError

router = APIRouter(tags=["health"])


class Live(BaseModel):
    """The process answers."""

    status: str = "live"


class Ready(BaseModel):
    """Whether work can be taken and done now."""

    status: str = Field(description="ready or not_ready", examples=["ready"])
    problems: dict[str, str] = Field(
        description="By part, what is wrong.", examples=[{"engine": "the checkpoint is loading"}]
    )


@router.head("/health/live", include_in_schema=False)
@router.get("/health/live", operation_id="live")
async def live() -> Live:
    """Answers as long as the process does; restart it when this fails."""
    return Live()


@router.head("/health/ready", include_in_schema=False)
@router.get("/health/ready", operation_id="ready", responses={503: {"model": Ready}})
async def ready(response: Response, service: ServiceDep, closing: ClosingDep) -> Ready:
    """200 when a task would be accepted and painted now, else 503 and why; send work only while it is 200."""
    found = await service.readiness()
    problems = dict(found.problems)
    if closing.has_begun:
        problems["server"] = "is stopping"
    is_ready = found.is_ready and not closing.has_begun
    response.status_code = 200 if is_ready else 503
    return Ready(status="ready" if is_ready else "not_ready", problems=problems)


@router.get("/metrics", operation_id="metrics", response_class=Response)
async def metrics(request: Request, service: ServiceDep) -> Response:
    """Numbers in Prometheus' text format."""
    numbers = cast("Metrics", request.app.state.metrics)
    found = await service.readiness()
    numbers.ready.set(found.is_ready)
    numbers.running.set(service.num_under_way)
    if "store" not in found.problems:  # else what was seen last stands
        with suppress(BackendError):
            numbers.saw_backlog(await service.backlog())
    return Response(numbers.exposition(), headers={"Content-Type": CONTENT_TYPE})
