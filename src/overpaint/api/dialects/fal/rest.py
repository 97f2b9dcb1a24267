"""fal's REST host: tokens, tickets for uploads, and the public key that webhooks are signed with."""

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request

from overpaint.api.body import read_body
from overpaint.api.deps import Call, ConfigDep, LinksDep, ServiceDep
from overpaint.api.dialects.fal.access import CallDep, KeyCallerDep
from overpaint.api.dialects.fal.answers import PREFIX
from overpaint.api.dialects.fal.asking import LIFECYCLE as LIFECYCLE_PREFERENCE
from overpaint.api.dialects.fal.asking import lifetime_of
from overpaint.api.dialects.fal.files import LIFECYCLE, PARTS, TICKET_S
from overpaint.api.dialects.fal.schemas import TokenInput, UploadInput
from overpaint.api.dialects.fal.tokens import STORAGE, issue
from overpaint.api.dialects.fal.webhook import public_keys
from overpaint.api.json_body import described_body, parse_json, validated

router = APIRouter(tags=["fal"])
StorageType = Annotated[str, Query(description="Any; there is one storage.")]
FILE_EXAMPLE = {"file_name": "a.png", "content_type": "image/png"}


@router.post(
    "/tokens", operation_id="fal_token", openapi_extra=described_body(TokenInput, {"allowed_apps": ["qwen-image"]})
)
async def token(request: Request, service: ServiceDep, caller: KeyCallerDep, config: ConfigDep) -> str:
    """A token for a browser: it may call the endpoints named, for a while."""
    asked = validated(TokenInput, parse_json(await read_body(request, config.max_body_bytes)))
    return issue(service, caller, tuple(asked.allowed_apps), asked.token_expiration)[0]


@router.post("/storage/auth/token", operation_id="fal_storage_token")
async def storage_token(
    service: ServiceDep, caller: KeyCallerDep, links: LinksDep, storage_type: StorageType = "fal-cdn-v3"
) -> dict[str, str]:
    """A token for uploads, and where they go."""
    del storage_type
    text, said = issue(service, caller, (STORAGE,), TICKET_S)
    return {
        "token": text,
        "token_type": "Bearer",
        "base_url": f"{links.base}{PREFIX}/cdn",
        "expires_at": datetime.fromtimestamp(said.expires, UTC).isoformat(),
    }


@router.post(
    "/storage/upload/initiate",
    operation_id="fal_upload_ticket",
    openapi_extra=described_body(UploadInput, FILE_EXAMPLE),
)
async def ticket(call: CallDep, storage_type: StorageType = "gcs") -> dict[str, str]:
    """Where to PUT a file, without a key, and where it is read afterwards."""
    del storage_type
    key = call.service.files.reserve(call.caller)
    return await _tell(call, key, call.links.base + call.service.links.link(key, "put", TICKET_S))


@router.post(
    "/storage/upload/initiate-multipart",
    operation_id="fal_multipart_ticket",
    openapi_extra=described_body(UploadInput, FILE_EXAMPLE),
)
async def multipart_ticket(call: CallDep, storage_type: StorageType = "fal-cdn-v3") -> dict[str, str]:
    """What the numbers of the parts are appended to, and where the whole is read afterwards."""
    del storage_type
    key = call.service.files.reserve(call.caller)
    expires, signature = call.service.links.prove(key, PARTS, TICKET_S)
    query = urlencode({"expires": expires, "signature": signature})
    return await _tell(call, key, f"{call.links.base}{PREFIX}/cdn/parts/{quote(key)}?{query}")


@router.get("/.well-known/jwks.json", operation_id="fal_jwks")
async def jwks(service: ServiceDep) -> dict[str, Any]:
    """The public key of webhooks, as a JSON Web Key Set; no key needed."""
    return public_keys(service.links)


async def _tell(call: Call, key: str, upload_url: str) -> dict[str, str]:
    headers, links = call.request.headers, call.links
    validated(UploadInput, parse_json(await read_body(call.request, call.config.max_body_bytes)))
    lifetime_s = lifetime_of(headers.get(LIFECYCLE) or headers.get(LIFECYCLE_PREFERENCE))
    return {"upload_url": upload_url, "file_url": links.base + links.files.link(key, lifetime_s=lifetime_s)}
