"""What was charged, task by task.

Sent as it is read: a year of it is a million rows, which are never in memory together, and others are answered between
any two pages of them.
"""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from overpaint.api.deps import CallerDep, ServiceDep
from overpaint.api.native.envelope import ANSWERS
from overpaint.api.native.tasks import aware
from overpaint.core.account import MICRO, UsageRow

router = APIRouter(tags=["accounts"])
ROWS_A_PIECE = 500
Rows = AsyncIterator[UsageRow]


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


@router.get("/usage", operation_id="get_usage", response_model=UsageListOut, responses=ANSWERS)
async def get_usage(
    service: ServiceDep,
    caller: CallerDep,
    since: Annotated[datetime | None, Query()] = None,
    until: Annotated[datetime | None, Query()] = None,
    key_id: Annotated[str | None, Query(description="Whose, for admins.")] = None,
    form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> StreamingResponse:
    """What was charged: this key's, or for an admin everybody's."""
    whose = key_id if caller.is_admin else caller.key_id
    found = service.usage(key_id=whose, since=aware(since, "since"), until=aware(until, "until"))
    pieces = await _begun(_pieces(found))
    if form == "csv":
        return StreamingResponse(_csv(pieces), media_type="text/csv")
    return StreamingResponse(_json(pieces), media_type="application/json")


async def _pieces(rows: Rows) -> AsyncIterator[list[UsageRow]]:
    piece: list[UsageRow] = []
    async for row in rows:
        piece.append(row)
        if len(piece) == ROWS_A_PIECE:
            yield piece
            piece = []
    yield piece


async def _begun(pieces: AsyncIterator[list[UsageRow]]) -> AsyncIterator[list[UsageRow]]:
    """The same pieces, the first of them read: what fails by then is still answered as an error."""
    first = await anext(pieces)

    async def all_pieces() -> AsyncIterator[list[UsageRow]]:
        yield first
        async for piece in pieces:
            yield piece

    return all_pieces()


async def _csv(pieces: AsyncIterator[list[UsageRow]]) -> AsyncIterator[str]:
    """For a spreadsheet."""
    yield _lines([UsageOut.model_fields])
    async for piece in pieces:
        yield _lines(_from_row(row).model_dump(mode="json").values() for row in piece)


def _lines(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


async def _json(pieces: AsyncIterator[list[UsageRow]]) -> AsyncIterator[str]:
    """A `UsageListOut`."""
    num_tasks = num_images = microusd = 0
    yield '{"rows":['
    async for piece in pieces:
        comma = "," if num_tasks and piece else ""
        yield comma + ",".join(_from_row(row).model_dump_json() for row in piece)
        num_tasks += len(piece)
        num_images += sum(row.num_images for row in piece)
        microusd += sum(row.price_microusd for row in piece)
    sums = {"num_tasks": num_tasks, "num_images": num_images, "price_usd": microusd / MICRO}
    yield f"],{json.dumps(sums)[1:]}"


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
