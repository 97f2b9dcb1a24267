"""Keys, which are an admin's business, and the secret that a key's webhooks are signed with."""

from collections.abc import Awaitable
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from overpaint.api.body import read_body
from overpaint.api.deps import AdminCallDep, AdminDep, Call, CallerDep, ServiceDep
from overpaint.api.errors import MissingFieldError
from overpaint.api.form import FORM_TYPES, media_type_of
from overpaint.api.json_body import M, described_body, parse_json, validated
from overpaint.api.json_numbers import Number, Whole
from overpaint.api.native.envelope import ADMIN_ANSWERS, ANSWERS
from overpaint.api.native.schemas import Strict
from overpaint.core.account import MAX_BUDGET_USD, MAX_COUNT, MICRO, ApiKey, KeyLimits
from overpaint.core.errors import RequestError, TaskNotFoundError

router = APIRouter(tags=["accounts"])


class LimitsBody(Strict):
    """What a key may do; null is no limit."""

    requests_per_minute: Whole | None = Field(
        default=None, ge=1, le=MAX_COUNT, description="Submissions.", examples=[60]
    )
    max_open_tasks: Whole | None = Field(default=None, ge=1, le=MAX_COUNT, description="Queued and running together.")
    monthly_budget_usd: Number | None = Field(
        default=None, ge=0, le=MAX_BUDGET_USD, description="In a calendar month, UTC."
    )
    max_upload_mib: Whole | None = Field(
        default=None, ge=0, le=MAX_COUNT, description="Uploads stored at once; null is what the server says."
    )


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


@router.get("/keys", operation_id="list_keys", responses=ADMIN_ANSWERS)
async def list_keys(service: ServiceDep, _admin: AdminDep) -> list[KeyOut]:
    """All keys, oldest first, revoked ones too."""
    return [_from_key(key) for key in await service.keys.list_keys()]


@router.post(
    "/keys",
    status_code=201,
    operation_id="create_key",
    responses=ADMIN_ANSWERS,
    openapi_extra=described_body(KeyIn),
)
async def create_key(call: AdminCallDep) -> NewKeyOut:
    """Make a key. Its secret is in this answer only."""
    body = await _read(call, KeyIn)
    key, secret = await call.service.keys.create(body.name, limits=_to_limits(body.limits), is_admin=body.is_admin)
    return NewKeyOut(**_from_key(key).model_dump(), secret=secret, webhook_secret=key.webhook_secret)


@router.put(
    "/keys/{name:path}/limits",
    operation_id="set_key_limits",
    responses=ADMIN_ANSWERS,
    openapi_extra=described_body(LimitsBody),
)
async def set_key_limits(name: str, call: AdminCallDep) -> KeyOut:
    """Change what a key may do; a field that is left out is no limit."""
    body = await _read(call, LimitsBody)
    return await _changed(call.service.keys.set_limits(name, _to_limits(body)))


@router.delete("/keys/{name:path}", operation_id="revoke_key", responses=ADMIN_ANSWERS)
async def revoke_key(name: str, service: ServiceDep, _admin: AdminDep) -> KeyOut:
    """Make a key useless."""
    return await _changed(service.keys.revoke(name))


@router.get("/webhook-secret", operation_id="get_webhook_secret", responses=ANSWERS)
async def get_webhook_secret(caller: CallerDep) -> WebhookSecretOut:
    """What the webhooks of the key that asks are signed with."""
    return WebhookSecretOut(webhook_secret=caller.key.webhook_secret)


async def _read(call: Call, model: type[M]) -> M:
    """The body, read once it is known who asks: the framework reads one that a route declares before that.

    Raises:
        MissingFieldError: there is none, which is not the same as an empty object: that would lift all limits.
        RequestError: it is a form or not JSON, or a field breaks a rule.
    """
    if media_type_of(call.request) in FORM_TYPES:
        raise RequestError("body", "a form", "must be JSON, sent with Content-Type: application/json")
    raw = await read_body(call.request, call.config.max_body_bytes)
    if not raw.strip():
        raise MissingFieldError("body")
    return validated(model, parse_json(raw))


async def _changed(change: Awaitable[ApiKey]) -> KeyOut:
    """The key after a change whose values were checked before.

    Raises:
        TaskNotFoundError: no key in force has that name.
    """
    try:
        return _from_key(await change)
    except RequestError as exc:
        raise TaskNotFoundError(exc.message) from exc


def _from_key(key: ApiKey) -> KeyOut:
    budget = key.limits.monthly_budget_microusd
    limits = LimitsBody(
        requests_per_minute=key.limits.requests_per_minute,
        max_open_tasks=key.limits.max_open_tasks,
        monthly_budget_usd=None if budget is None else budget / MICRO,
        max_upload_mib=key.limits.max_upload_mib,
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
        max_upload_mib=body.max_upload_mib,
    )
