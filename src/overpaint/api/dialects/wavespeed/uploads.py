"""WaveSpeed's three ways to upload: a ticket with a PUT (what the clients do), and two older forms."""

import mimetypes
from typing import Any

from fastapi import APIRouter, Request

from overpaint.api.body import check_length, read_body
from overpaint.api.deps import CallerDep, ConfigDep, LinksDep, ServiceDep
from overpaint.api.dialects.wavespeed.answers import ERRORS, success
from overpaint.api.dialects.wavespeed.schemas import UploadInput
from overpaint.api.form import described_form
from overpaint.api.json_body import described_body, parse_json, validated
from overpaint.api.uploads import store_sent_file

router = APIRouter(tags=["wavespeed"], responses=ERRORS)
TICKET_S = 15 * 60


@router.post(
    "/media/uploads",
    operation_id="wavespeed_upload_ticket",
    openapi_extra=described_body(UploadInput, {"filename": "a.png", "size": 1024, "content_type": "image/png"}),
)
async def ticket(
    request: Request, service: ServiceDep, caller: CallerDep, config: ConfigDep, links: LinksDep
) -> dict[str, Any]:
    """Where to PUT a file, without a key, and where it can be read afterwards."""
    body = validated(UploadInput, parse_json(await read_body(request, config.max_body_bytes)))
    check_length(body.size, config.max_upload_bytes, "size")
    key = service.files.reserve(caller)
    media_type = body.content_type or mimetypes.guess_type(body.filename)[0] or "application/octet-stream"
    path = service.links.link(key, "put", TICKET_S)
    upload = {"method": "PUT", "url": f"{links.base}{path}", "headers": {"Content-Type": media_type}}
    return success({"upload": upload, "download_url": links.key(key)})


@router.post("/media/upload/binary", operation_id="wavespeed_upload_binary", openapi_extra=described_form("file"))
async def binary(
    request: Request, service: ServiceDep, caller: CallerDep, config: ConfigDep, links: LinksDep
) -> dict[str, Any]:
    """Store a picture sent as a form; the older way."""
    stored, name = await store_sent_file(request, service, caller, config)
    return success({"type": "image", "download_url": links.file(stored), "filename": name, "size": stored.num_bytes})


@router.post("/upload", operation_id="wavespeed_upload", openapi_extra=described_form("file"))
async def oldest(
    request: Request, service: ServiceDep, caller: CallerDep, config: ConfigDep, links: LinksDep
) -> dict[str, Any]:
    """Store a picture sent as a form; the oldest way."""
    stored, name = await store_sent_file(request, service, caller, config)
    return success({"url": links.file(stored), "filename": name, "size": stored.num_bytes})
