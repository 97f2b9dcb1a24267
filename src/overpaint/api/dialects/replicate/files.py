"""Replicate's Files API, for pictures: what the clients do with open files and paths of an input."""

import hashlib
from contextlib import suppress
from typing import Any, cast

from fastapi import APIRouter, Response

from overpaint.api.body import check_length
from overpaint.api.deps import Call
from overpaint.api.described import picture_answer
from overpaint.api.dialects.replicate.access import ReplicateCallDep
from overpaint.api.dialects.replicate.answers import ERRORS
from overpaint.api.dialects.replicate.schemas import FileCard, Page
from overpaint.api.dialects.replicate.tell import timestamp
from overpaint.api.file_answer import FileAnswer
from overpaint.api.form import Form, described_form, read_form
from overpaint.api.json_body import parse_json
from overpaint.core.errors import RequestError, TaskNotFoundError
from overpaint.service.uploads import Upload

router = APIRouter(tags=["replicate"], responses=ERRORS)


@router.post(
    "/files", status_code=201, operation_id="replicate_upload", openapi_extra=described_form("content", "metadata")
)
async def upload(call: ReplicateCallDep) -> FileCard:
    """Store a picture (form field `content`); other files are refused. `metadata` comes back in this answer only."""
    form = await read_form(call.request)
    file = form.needed_file("content")
    check_length(len(file.data), call.config.max_upload_bytes, "content")
    metadata = _metadata(form)
    stored, _ = await call.service.uploads.create(call.caller, file.data, file.name)
    card = await _card(call, stored)
    return card.model_copy(update={"metadata": metadata})


@router.get("/files", operation_id="replicate_files")
async def list_files(call: ReplicateCallDep) -> Page:
    """The key's uploads, newest first."""
    cards: list[FileCard] = []
    for one in await call.service.uploads.list_all(call.caller):
        with suppress(TaskNotFoundError):  # it went since it was listed
            cards.append(await _card(call, one))
    return Page(results=cards)


@router.get("/files/{file_id}", operation_id="replicate_file")
async def get_file(file_id: str, call: ReplicateCallDep) -> FileCard:
    """One upload, described."""
    return await _card(call, await call.service.uploads.get(call.caller, file_id))


@router.get(
    "/files/{file_id}/download",
    operation_id="replicate_download",
    response_class=Response,
    responses=picture_answer("The picture."),
)
async def download(file_id: str, call: ReplicateCallDep) -> Response:
    """The picture itself."""
    found = await call.service.uploads.get(call.caller, file_id)
    return FileAnswer(call.service.files, found.key)


@router.delete("/files/{file_id}", status_code=204, operation_id="replicate_forget_file")
async def delete(file_id: str, call: ReplicateCallDep) -> None:
    """Forget an upload."""
    await call.service.uploads.delete(call.caller, file_id)


def _metadata(form: Form) -> dict[str, Any]:
    """An object, sent as a text or as a part of its own."""
    part = form.file("metadata")
    value = parse_json(part.data if part else (form.text("metadata") or "").encode())
    if not isinstance(value, dict):
        raise RequestError("metadata", value, "must be a JSON object")
    return cast("dict[str, Any]", value)


async def _card(call: Call, upload: Upload) -> FileCard:
    content = hashlib.sha256()
    async with call.service.files.open(upload.key) as file:
        async for piece in file.pieces:
            content.update(piece)
    digest = content.hexdigest()
    url = call.links.route(f"/v1/files/{upload.id}")
    return FileCard(
        id=upload.id,
        name=upload.name,
        content_type=file.media_type,
        size=file.num_bytes,
        etag=digest[:32],
        checksums={"sha256": digest},
        created_at=timestamp(upload.created_at),
        expires_at=timestamp(upload.expires_at),
        urls={"get": url, "download": call.links.key(upload.key)},
    )
