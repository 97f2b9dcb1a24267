"""Native uploads: send a picture or a LoRA file once, name its URL in as many tasks as wanted."""

from fastapi import APIRouter, Request

from overpaint.api.deps import CallerDep, ConfigDep, LinksDep, ServiceDep
from overpaint.api.form import described_form
from overpaint.api.native.convert import from_file
from overpaint.api.native.envelope import ANSWERS
from overpaint.api.native.schemas import FileOut
from overpaint.api.uploads import store_sent_file

router = APIRouter(tags=["files"], responses=ANSWERS)


@router.post("/files", status_code=201, operation_id="upload_file", openapi_extra=described_form("file"))
async def upload_file(
    request: Request, service: ServiceDep, caller: CallerDep, config: ConfigDep, links: LinksDep
) -> FileOut:
    """Store a picture, or a LoRA file, whose sides are 0; it is kept as long as tasks are."""
    stored, _ = await store_sent_file(request, service, caller, config)
    return from_file(stored, links)
