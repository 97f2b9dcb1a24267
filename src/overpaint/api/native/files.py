"""Native uploads: send a picture once, name its URL in as many tasks as wanted."""

from fastapi import APIRouter, Request

from overpaint.api.deps import CallerDep, ConfigDep, LinksDep, ServiceDep
from overpaint.api.form import described_form, read_form
from overpaint.api.native.convert import from_file
from overpaint.api.native.envelope import ANSWERS
from overpaint.api.native.schemas import FileOut
from overpaint.api.uploads import store_upload

router = APIRouter(tags=["files"], responses=ANSWERS)


@router.post("/files", status_code=201, operation_id="upload_file", openapi_extra=described_form("file"))
async def upload_file(
    request: Request, service: ServiceDep, caller: CallerDep, config: ConfigDep, links: LinksDep
) -> FileOut:
    """Store a picture; it is kept as long as inputs are."""
    file = (await read_form(request)).needed_file("file")
    return from_file(await store_upload(service, caller, config, file.data, file.name), links)
