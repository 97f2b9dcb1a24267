"""Pictures that callers store before they use them. Knows no dialect's words."""

from fastapi import Request

from overpaint.api.body import check_length
from overpaint.api.config import ApiConfig
from overpaint.api.form import read_form
from overpaint.core.task import StoredFile
from overpaint.service.caller import Caller
from overpaint.service.service import Service


async def store_upload(service: Service, caller: Caller, config: ApiConfig, data: bytes, name: str) -> StoredFile:
    """Store a picture for a caller.

    Raises:
        BodyTooLargeError: it is larger than uploads may be.
        PictureError: it is no picture.
        BackendError: it cannot be stored now.
    """
    check_length(len(data), config.max_upload_bytes, "file")
    return await service.files.upload(service.files.reserve(caller), data, name)


async def store_sent_file(
    request: Request, service: Service, caller: Caller, config: ApiConfig
) -> tuple[StoredFile, str]:
    """Store the picture in the field `file` of a form; with the name it came under.

    Raises:
        MissingFieldError: there is none.
        OverpaintError: as `read_form` and `store_upload`.
    """
    file = (await read_form(request)).needed_file("file")
    return await store_upload(service, caller, config, file.data, file.name), file.name
