"""Stored files by signed, expiring links: ``GET /files/...`` reads a picture, ``PUT`` fills a reserved upload.

The link is the permission, so no key is asked for. Knows no file system.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from overpaint.api.body import read_body
from overpaint.api.deps import ConfigDep, ServiceDep
from overpaint.api.described import picture_answer
from overpaint.api.errors import ForbiddenError
from overpaint.api.file_answer import FileAnswer
from overpaint.core.errors import AccessError
from overpaint.service.service import Service

router = APIRouter(tags=["files"])

Expires = Annotated[str, Query(description="Unix time after which the link is dead.")]
Signature = Annotated[str, Query(description="Proves that this server made the link.")]
ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
PREFLIGHT = ANY_ORIGIN | {"Access-Control-Allow-Methods": "GET, HEAD, PUT", "Access-Control-Allow-Headers": "*"}
READ_HEADERS = ANY_ORIGIN | {
    "Cache-Control": "private, max-age=604800, immutable",
    "Content-Disposition": "inline",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


@router.head("/files/{key:path}", include_in_schema=False, response_class=Response)
@router.get(
    "/files/{key:path}", operation_id="read_file", response_class=Response, responses=picture_answer("The picture.")
)
async def read_file(service: ServiceDep, key: str, expires: Expires = "", signature: Signature = "") -> Response:
    """The bytes of a stored picture."""
    _check(service, key, expires, signature, "get")
    return FileAnswer(service.files, key, READ_HEADERS)


@router.put("/files/{key:path}", operation_id="write_file", status_code=200, response_class=Response)
async def write_file(
    request: Request,
    service: ServiceDep,
    config: ConfigDep,
    key: str,
    expires: Expires = "",
    signature: Signature = "",
) -> Response:
    """Fill a reserved upload with the raw bytes of a picture."""
    _check(service, key, expires, signature, "put")
    await service.files.upload(key, await read_body(request, config.max_upload_bytes))
    return Response(status_code=200, headers=ANY_ORIGIN)


@router.options("/files/{key:path}", include_in_schema=False, response_class=Response)
async def preflight(key: str) -> Response:
    """What a browser asks before a page of another origin uploads by a link."""
    del key
    return Response(status_code=204, headers=PREFLIGHT)


def _check(service: Service, key: str, expires: str, signature: str, action: str) -> None:
    try:
        service.links.check(key, expires, signature, action)
    except AccessError as exc:
        raise ForbiddenError(exc.message) from exc
