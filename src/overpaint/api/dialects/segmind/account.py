"""Beside the models: credits, the list of models, and files to use as inputs."""

from typing import Any

from fastapi import APIRouter

from overpaint.api.balance import balance_usd
from overpaint.api.dialects.segmind.access import SegmindCallDep
from overpaint.api.dialects.segmind.convert import FAMILY
from overpaint.api.dialects.segmind.schemas import ERRORS, AssetInput
from overpaint.api.json_body import described_body
from overpaint.api.models import vendor_name
from overpaint.api.submission import read_input
from overpaint.api.uploads import store_upload
from overpaint.core.account import MICRO
from overpaint.service.pictures import read_data_uri

router = APIRouter(tags=["segmind"], responses=ERRORS)


@router.get("/v1/get-user-credits", operation_id="segmind_credits")
async def user_credits(call: SegmindCallDep) -> dict[str, float]:
    """What is left of this month's budget, in dollars."""
    return {"credits": await balance_usd(call.service, call.caller)}


@router.post("/upload-asset", operation_id="segmind_upload", openapi_extra=described_body(AssetInput))
async def upload_asset(call: SegmindCallDep) -> dict[str, Any]:
    """Store pictures, as the client's `files.upload` does; their URLs are usable in every image field."""
    body = await read_input(call, AssetInput)
    files = [(f"data_urls[{at}]", uri) for at, uri in enumerate(body.data_urls)]
    urls: list[str] = []
    for field, uri in files:
        data = read_data_uri(uri, field)
        urls.append(call.links.file(await store_upload(call.service, call.caller, call.config, data, field)))
    return {"file_urls": urls, "message": "success"}


@router.get("/inference-model-information/list", operation_id="segmind_models")
async def models(call: SegmindCallDep) -> dict[str, Any]:
    """The models of this server, by Segmind's slugs."""
    catalogue = call.service.catalogue
    entries = [catalogue.find(name) for name in catalogue.names() if name.startswith(FAMILY)]
    rows = [
        {
            "slug": vendor_name(entry.id, FAMILY),
            "name": entry.title,
            "type": "image-to-image" if entry.pictures.min_count else "text-to-image",
            "price_usd": entry.price_microusd / MICRO,
        }
        for entry in entries
    ]
    return {"models": rows}
