"""Native uploads: send a picture once, name its URL in as many tasks as wanted."""

from typing import Annotated

from fastapi import APIRouter, UploadFile

from overpaint.api.body import check_length
from overpaint.api.deps import CallerDep, ConfigDep, LinksDep, ServiceDep
from overpaint.api.native.convert import from_file
from overpaint.api.native.envelope import ANSWERS
from overpaint.api.native.schemas import FileOut

router = APIRouter(tags=["files"], responses=ANSWERS)

Part = Annotated[UploadFile, "a picture file"]


@router.post("/files", status_code=201, operation_id="upload_file")
async def upload_file(
    file: Part, service: ServiceDep, caller: CallerDep, config: ConfigDep, links: LinksDep
) -> FileOut:
    """Store a picture; it is kept as long as inputs are."""
    check_length(file.size or 0, config.max_upload_bytes, "file")
    key = service.files.reserve(caller)
    stored = await service.files.upload(key, await file.read(), file.filename or "file")
    return from_file(stored, links)
