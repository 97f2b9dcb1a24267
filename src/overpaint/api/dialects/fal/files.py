"""fal's CDN: uploads whole or in parts, and links that name what was uploaded.

Links carry their permission in the path, because fal's client appends to them. What a link allows (reading, or adding
parts) and until when is signed; nothing is remembered.
"""

from typing import Any

from fastapi import APIRouter, Request, Response

from overpaint.api.body import read_body
from overpaint.api.deps import ConfigDep, LinksDep, ServiceDep
from overpaint.api.described import picture_answer
from overpaint.api.dialects.fal.access import CallerDep
from overpaint.api.dialects.fal.answers import PREFIX
from overpaint.api.dialects.fal.asking import lifetime_of
from overpaint.api.dialects.fal.schemas import CompleteInput
from overpaint.api.error_answers import json_answer
from overpaint.api.errors import ForbiddenError
from overpaint.api.file_answer import FileAnswer
from overpaint.api.files import READ_HEADERS
from overpaint.api.json_body import described_body, parse_json, validated
from overpaint.api.public_url import Links
from overpaint.api.uploads import store_upload
from overpaint.core.errors import AccessError
from overpaint.service.service import Service

router = APIRouter(tags=["fal"])
PARTS = "parts"
TICKET_S = 3600
LIFECYCLE = "x-fal-object-lifecycle"
FILE = "/files/{expires}/{signature}/{key:path}"


def cdn_url(links: Links, key: str, lifetime_s: int | None) -> str:
    """Where an upload is read, and what its parts are put below."""
    return f"{links.base}{PREFIX}/cdn{links.files.path_link(key, lifetime_s=lifetime_s)}"


@router.post("/files/upload", operation_id="fal_cdn_upload")
async def upload(
    request: Request, service: ServiceDep, caller: CallerDep, config: ConfigDep, links: LinksDep
) -> dict[str, str]:
    """Store a picture, sent as it is."""
    data = await read_body(request, config.max_upload_bytes)
    stored = await store_upload(service, caller, config, data, _name(request))
    return {"access_url": cdn_url(links, stored.key, lifetime_of(request.headers.get(LIFECYCLE)))}


@router.post("/files/upload/multipart", operation_id="fal_cdn_multipart")
async def begin(request: Request, service: ServiceDep, caller: CallerDep, links: LinksDep) -> dict[str, str]:
    """Begin an upload in parts."""
    key = service.files.reserve(caller)
    access_url = cdn_url(links, key, lifetime_of(request.headers.get(LIFECYCLE)))
    return {"access_url": access_url, "uploadId": "-".join(service.links.prove(key, PARTS, TICKET_S))}


@router.head(FILE, include_in_schema=False, response_class=Response)
@router.get(FILE, operation_id="fal_cdn_read", response_class=Response, responses=picture_answer("The picture."))
async def read(service: ServiceDep, expires: str, signature: str, key: str) -> Response:
    """What was uploaded."""
    _check(service, key, expires, signature, "get")
    return FileAnswer(service.files, key, READ_HEADERS)


@router.put(FILE + "/multipart/{upload_id}/{number}", operation_id="fal_cdn_part")
async def put_part(
    request: Request, service: ServiceDep, config: ConfigDep, key: str, upload_id: str, number: int
) -> Response:
    """One part, numbered from 1."""
    ends, _, proof = upload_id.partition("-")
    return await _put(request, service, config.max_upload_bytes, (key, ends, proof), number)


@router.post(
    FILE + "/multipart/{upload_id}/complete",
    operation_id="fal_cdn_complete",
    openapi_extra=described_body(CompleteInput),
)
async def complete_upload(
    request: Request, service: ServiceDep, config: ConfigDep, key: str, upload_id: str
) -> dict[str, Any]:
    """All parts are there."""
    ends, _, proof = upload_id.partition("-")
    return await _complete(request, service, config.max_body_bytes, (key, ends, proof))


@router.put("/parts/{key:path}/{number}", operation_id="fal_parts_put")
async def put_part_by_ticket(
    request: Request, service: ServiceDep, config: ConfigDep, key: str, number: int, expires: str, signature: str
) -> Response:
    """One part, as the JavaScript client sends it."""
    return await _put(request, service, config.max_upload_bytes, (key, expires, signature), number)


@router.post(
    "/parts/{key:path}/complete", operation_id="fal_parts_complete", openapi_extra=described_body(CompleteInput)
)
async def complete_by_ticket(
    request: Request, service: ServiceDep, config: ConfigDep, key: str, expires: str, signature: str
) -> dict[str, Any]:
    """All parts are there, as the JavaScript client says it."""
    return await _complete(request, service, config.max_body_bytes, (key, expires, signature))


async def _put(
    request: Request, service: Service, max_bytes: int, ticket: tuple[str, str, str], number: int
) -> Response:
    key, expires, signature = ticket
    _check(service, key, expires, signature, PARTS)
    tag = await service.parts.put(key, number, await read_body(request, max_bytes))
    answer = json_answer(200, {"partNumber": number, "etag": tag})
    answer.headers["ETag"] = tag
    return answer


async def _complete(request: Request, service: Service, max_bytes: int, ticket: tuple[str, str, str]) -> dict[str, Any]:
    key, expires, signature = ticket
    _check(service, key, expires, signature, PARTS)
    asked = validated(CompleteInput, parse_json(await read_body(request, max_bytes)))
    stored = await service.parts.complete(key, [(part.partNumber, part.etag) for part in asked.parts], _name(request))
    return {"file_size": stored.num_bytes, "content_type": stored.media_type}


def _check(service: Service, key: str, expires: str, signature: str, action: str) -> None:
    try:
        service.links.check(key, expires, signature, action)
    except AccessError as exc:
        raise ForbiddenError(exc.message) from exc


def _name(request: Request) -> str:
    return request.headers.get("x-fal-file-name") or "file"
