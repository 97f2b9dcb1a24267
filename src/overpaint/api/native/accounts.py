"""Keys and usage. Keys are an admin's business; usage of its own every key may see."""

import csv
import io
from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from overpaint.api.deps import AdminDep, CallerDep, ServiceDep
from overpaint.api.json_numbers import Number, Whole
from overpaint.api.native.convert import MICRO
from overpaint.api.native.envelope import ADMIN_ANSWERS, ANSWERS
from overpaint.api.native.schemas import Strict
from overpaint.api.native.tasks import aware
from overpaint.core.account import ApiKey, KeyLimits, UsageRow
from overpaint.core.errors import RequestError, TaskNotFoundError

router = APIRouter(tags=["accounts"])
_MAX_COUNT = 2**31 - 1


class LimitsBody(Strict):
    """What a key may do; null is no limit."""

    requests_per_minute: Whole | None = Field(
        default=None, ge=1, le=_MAX_COUNT, description="Submissions.", examples=[60]
    )
    max_open_tasks: Whole | None = Field(default=None, ge=1, le=_MAX_COUNT, description="Queued and running together.")
    monthly_budget_usd: Number | None = Field(default=None, ge=0, le=1e9, description="In a calendar month, UTC.")


class KeyIn(Strict):
    """A key to make."""

    name: str = Field(examples=["shop"], min_length=1, max_length=64)
    limits: LimitsBody = LimitsBody()
    is_admin: bool = False


class KeyOut(BaseModel):
    """A key, without its secret."""

    id: str
    name: str
    is_admin: bool
    limits: LimitsBody
    created_at: datetime
    revoked_at: datetime | None = None


class NewKeyOut(KeyOut):
    """A key that was just made."""

    secret: str = Field(description="Shown here and never again.", examples=["op_..."])
    webhook_secret: str = Field(description="Signs this key's webhooks.", examples=["whsec_..."])


class WebhookSecretOut(BaseModel):
    """What checks that a webhook comes from here."""

    webhook_secret: str = Field(description="Signs this key's webhooks.", examples=["whsec_..."])


class UsageOut(BaseModel):
    """One charged task."""

    task_id: str
    key_id: str
    model: str
    num_images: int
    price_usd: float
    engine_ms: int
    finished_at: datetime


class UsageListOut(BaseModel):
    """Charged tasks, oldest first, and their sums."""

    rows: list[UsageOut]
    num_tasks: int
    num_images: int
    price_usd: float


@router.get("/keys", operation_id="list_keys", responses=ADMIN_ANSWERS)
async def list_keys(service: ServiceDep, _admin: AdminDep) -> list[KeyOut]:
    """All keys, oldest first, revoked ones too."""
    return [_from_key(key) for key in await service.keys.list_keys()]


@router.post("/keys", status_code=201, operation_id="create_key", responses=ADMIN_ANSWERS)
async def create_key(body: KeyIn, service: ServiceDep, _admin: AdminDep) -> NewKeyOut:
    """Make a key. Its secret is in this answer only."""
    key, secret = await service.keys.create(body.name, limits=_to_limits(body.limits), is_admin=body.is_admin)
    return NewKeyOut(**_from_key(key).model_dump(), secret=secret, webhook_secret=key.webhook_secret)


@router.put("/keys/{name:path}/limits", operation_id="set_key_limits", responses=ADMIN_ANSWERS)
async def set_key_limits(name: str, body: LimitsBody, service: ServiceDep, _admin: AdminDep) -> KeyOut:
    """Change what a key may do; a field that is left out is no limit."""
    return await _changed(service.keys.set_limits(name, _to_limits(body)))


@router.delete("/keys/{name:path}", operation_id="revoke_key", responses=ADMIN_ANSWERS)
async def revoke_key(name: str, service: ServiceDep, _admin: AdminDep) -> KeyOut:
    """Make a key useless."""
    return await _changed(service.keys.revoke(name))


@router.get("/webhook-secret", operation_id="get_webhook_secret", responses=ANSWERS)
async def get_webhook_secret(caller: CallerDep) -> WebhookSecretOut:
    """What the webhooks of the key that asks are signed with."""
    return WebhookSecretOut(webhook_secret=caller.key.webhook_secret)


@router.get("/usage", operation_id="get_usage", response_model=UsageListOut, responses=ANSWERS)
async def get_usage(
    service: ServiceDep,
    caller: CallerDep,
    since: Annotated[datetime | None, Query()] = None,
    until: Annotated[datetime | None, Query()] = None,
    key_id: Annotated[str | None, Query(description="Whose, for admins.")] = None,
    form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> UsageListOut | Response:
    """What was charged: this key's, or for an admin everybody's."""
    whose = key_id if caller.is_admin else caller.key_id
    found = service.usage(key_id=whose, since=aware(since, "since"), until=aware(until, "until"))
    rows = [row async for row in found]
    return Response(usage_csv(rows), media_type="text/csv") if form == "csv" else _from_rows(rows)


def usage_csv(rows: list[UsageRow]) -> str:
    """Usage as a table for a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(UsageOut.model_fields)
    writer.writerows(_from_row(row).model_dump(mode="json").values() for row in rows)
    return text.getvalue()


async def _changed(change: Awaitable[ApiKey]) -> KeyOut:
    """The key after a change whose values were checked before.

    Raises:
        TaskNotFoundError: no key in force has that name.
    """
    try:
        return _from_key(await change)
    except RequestError as exc:
        raise TaskNotFoundError(exc.message) from exc


def _from_rows(rows: list[UsageRow]) -> UsageListOut:
    return UsageListOut(
        rows=[_from_row(row) for row in rows],
        num_tasks=len(rows),
        num_images=sum(row.num_images for row in rows),
        price_usd=sum(row.price_microusd for row in rows) / MICRO,
    )


def _from_row(row: UsageRow) -> UsageOut:
    return UsageOut(
        task_id=row.task_id,
        key_id=row.key_id,
        model=row.model,
        num_images=row.num_images,
        price_usd=row.price_microusd / MICRO,
        engine_ms=row.engine_ms,
        finished_at=row.finished_at,
    )


def _from_key(key: ApiKey) -> KeyOut:
    budget = key.limits.monthly_budget_microusd
    limits = LimitsBody(
        requests_per_minute=key.limits.requests_per_minute,
        max_open_tasks=key.limits.max_open_tasks,
        monthly_budget_usd=None if budget is None else budget / MICRO,
    )
    return KeyOut(
        id=key.id,
        name=key.name,
        is_admin=key.is_admin,
        limits=limits,
        created_at=key.created_at,
        revoked_at=key.revoked_at,
    )


def _to_limits(body: LimitsBody) -> KeyLimits:
    budget = body.monthly_budget_usd
    return KeyLimits(
        requests_per_minute=body.requests_per_minute,
        max_open_tasks=body.max_open_tasks,
        monthly_budget_microusd=None if budget is None else round(budget * MICRO),
    )
