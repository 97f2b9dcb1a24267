"""OpenAI's Files API, for pictures: what `images[].file_id` of a JSON edit names."""

from fastapi import APIRouter, Response

from overpaint.api.body import check_length
from overpaint.api.deps import Call
from overpaint.api.described import picture_answer
from overpaint.api.dialects.openai.access import OpenAICallDep
from overpaint.api.dialects.openai.answers import ERRORS
from overpaint.api.dialects.openai.schemas import FileCard, FileList
from overpaint.api.file_answer import FileAnswer
from overpaint.api.form import described_form, read_form
from overpaint.service.draft import PictureFile
from overpaint.service.uploads import Upload

router = APIRouter(tags=["openai"], responses=ERRORS)
PREFIX = "file-"
CONTENT = picture_answer("The picture.")


async def file_source(call: Call, file_id: str, called: str) -> PictureFile:
    """The stored picture that a request names.

    Raises:
        TaskNotFoundError: there is none of this caller.
    """
    return PictureFile((await _find(call, file_id)).key, called=called)


@router.post("/files", operation_id="openai_upload", openapi_extra=described_form("file", "purpose"))
async def upload(call: OpenAICallDep) -> FileCard:
    """Store a picture (form field `file`); other files are refused."""
    form = await read_form(call.request)
    file = form.needed_file("file")
    check_length(len(file.data), call.config.max_upload_bytes, "file")
    stored, _ = await call.service.uploads.create(call.caller, file.data, file.name)
    return _card(stored).model_copy(update={"purpose": form.text("purpose") or "vision"})


@router.get("/files", operation_id="openai_files")
async def list_files(call: OpenAICallDep) -> FileList:
    """The key's uploads, newest first."""
    found = await call.service.uploads.list_all(call.caller)
    return FileList(data=[_card(upload) for upload in found])


@router.get("/files/{file_id}", operation_id="openai_file")
async def get_file(file_id: str, call: OpenAICallDep) -> FileCard:
    """One upload."""
    return _card(await _find(call, file_id))


@router.get("/files/{file_id}/content", operation_id="openai_file_content", response_class=Response, responses=CONTENT)
async def content(file_id: str, call: OpenAICallDep) -> Response:
    """The picture itself."""
    return FileAnswer(call.service.files, (await _find(call, file_id)).key)


@router.delete("/files/{file_id}", operation_id="openai_forget_file")
async def delete(file_id: str, call: OpenAICallDep) -> dict[str, object]:
    """Forget an upload."""
    await call.service.uploads.delete(call.caller, file_id.removeprefix(PREFIX))
    return {"id": file_id, "object": "file", "deleted": True}


async def _find(call: Call, file_id: str) -> Upload:
    return await call.service.uploads.get(call.caller, file_id.removeprefix(PREFIX))


def _card(upload: Upload) -> FileCard:
    return FileCard(
        id=PREFIX + upload.id,
        bytes=upload.num_bytes,
        created_at=int(upload.created_at.timestamp()),
        expires_at=int(upload.expires_at.timestamp()),
        filename=upload.name,
    )
