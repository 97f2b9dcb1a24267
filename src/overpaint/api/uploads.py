"""Pictures that callers store before they use them. Knows no dialect's form."""

from overpaint.api.body import check_length
from overpaint.api.config import ApiConfig
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
