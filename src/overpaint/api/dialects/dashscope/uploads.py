"""Local files, as the clients send them: a policy first, then a form to where the policy says, without a key.

The policy is a link of the file store in other clothes: it names a reserved folder, expires, and cannot be changed.
"""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request, Response

from overpaint.api.body import check_length
from overpaint.api.deps import CallDep, ConfigDep, ServiceDep
from overpaint.api.dialects.dashscope.oss import stored_key
from overpaint.api.dialects.dashscope.schemas import ERRORS
from overpaint.api.errors import ForbiddenError, MissingFieldError
from overpaint.api.form import Form, read_form
from overpaint.api.request_id import request_id
from overpaint.core.errors import AccessError, TaskNotFoundError
from overpaint.service.service import Service

router = APIRouter(tags=["dashscope"], responses=ERRORS)
POLICY_S = 300
MIB = 1024 * 1024
MAX_TEXT_BYTES = 8192
"""Of a field beside the file, as in the storage that this stands for: only what is in them tells who sends them."""


@router.get("/api/v1/uploads", operation_id="dashscope_upload_policy")
async def policy(call: CallDep) -> dict[str, Any]:
    """Where to post files, and what to send along; good for the files of one request."""
    folder = call.service.files.reserve(call.caller)
    link = parse_qs(urlsplit(call.service.links.link(folder, "put", POLICY_S)).query)
    size_mib = call.config.max_upload_bytes // MIB
    data = {
        "policy": link["expires"][0],
        "signature": link["signature"][0],
        "upload_dir": folder,
        "upload_host": call.links.route("/oss"),
        "expire_in_seconds": POLICY_S,
        "max_file_size_mb": size_mib,
        "capacity_limit_mb": size_mib,
        "oss_access_key_id": call.caller.key_id,
        "x_oss_object_acl": "private",
        "x_oss_forbid_overwrite": "true",
    }
    return {"request_id": request_id(), "data": data}


@router.post("/oss", operation_id="dashscope_upload", response_class=Response)
async def upload(request: Request, service: ServiceDep, config: ConfigDep) -> Response:
    """Store a file below the policy's folder. A second one of the same name is refused: it would replace the first."""
    form = await read_form(request, MAX_TEXT_BYTES)
    name = _text(form, "key")
    folder = name.rpartition("/")[0]
    try:
        service.links.check(folder, _text(form, "policy"), _text(form, "Signature"), "put")
    except AccessError as exc:
        raise ForbiddenError(f"the policy is not valid for {folder or name} (any more)") from exc
    file = form.needed_file("file")
    check_length(len(file.data), config.max_upload_bytes, "file")
    key = stored_key(name)
    if await _exists(service, key):
        raise ForbiddenError(
            f"FileAlreadyExists: {file.name} was uploaded already; two files of one call need two names"
        )
    await service.files.upload(key, file.data, file.name)
    return Response(status_code=200)


def _text(form: Form, field: str) -> str:
    value = form.text(field)
    if value is None:
        raise MissingFieldError(field)
    return value


async def _exists(service: Service, key: str) -> bool:
    try:
        async with service.files.open(key):
            return True
    except TaskNotFoundError:
        return False
