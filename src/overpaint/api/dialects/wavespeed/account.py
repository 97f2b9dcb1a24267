"""What WaveSpeed tells a key about itself: models, balance, bills, and the secret that its webhooks are signed with."""

from typing import Any

from fastapi import APIRouter, Request

from overpaint.api.balance import balance_usd
from overpaint.api.body import read_body
from overpaint.api.deps import CallerDep, ConfigDep, ServiceDep
from overpaint.api.dialects.wavespeed.answers import ERRORS, success
from overpaint.api.dialects.wavespeed.convert import timestamp
from overpaint.api.dialects.wavespeed.schemas import ListInput
from overpaint.api.json_body import described_body, parse_json, validated
from overpaint.core.account import MICRO

router = APIRouter(tags=["wavespeed"], responses=ERRORS)
FAMILY = "wavespeed-ai/"


@router.get("/webhook/secret", operation_id="wavespeed_webhook_secret")
async def webhook_secret(caller: CallerDep) -> dict[str, Any]:
    """The secret of this key's webhooks."""
    return success({"secret": caller.key.webhook_secret})


@router.get("/balance", operation_id="wavespeed_balance")
async def balance(service: ServiceDep, caller: CallerDep) -> dict[str, Any]:
    """What is left of this month's budget, in dollars."""
    return success({"balance": await balance_usd(service, caller)})


@router.get("/models", operation_id="wavespeed_models")
async def models(service: ServiceDep, _caller: CallerDep) -> dict[str, Any]:
    """The models of this server, by their own names and by WaveSpeed's."""
    names = [name for name in service.catalogue.names() if name.startswith(FAMILY) or "/" not in name]
    entries = [service.catalogue.find(name) for name in names]
    items = [
        {
            "model_id": entry.id,
            "name": entry.id,
            "description": entry.title,
            "type": "image-to-image" if entry.pictures.min_count else "text-to-image",
            "base_price": entry.price_microusd / MICRO,
        }
        for entry in entries
    ]
    return success(items)


@router.post(
    "/billings/search", operation_id="wavespeed_billings", openapi_extra=described_body(ListInput, {"page": 1})
)
async def billings(request: Request, service: ServiceDep, caller: CallerDep, config: ConfigDep) -> dict[str, Any]:
    """What this key was charged, newest first."""
    query = validated(ListInput, parse_json(await read_body(request, config.max_body_bytes)))
    skip = (query.page - 1) * query.page_size
    rows, total = await service.usage_page(caller.key_id, skip=skip, limit=query.page_size)
    items = [
        {
            "prediction_id": row.task_id,
            "model": row.model,
            "price": row.price_microusd / MICRO,
            "created_at": timestamp(row.finished_at),
        }
        for row in rows
    ]
    return success({"page": query.page, "total": total, "items": items})
