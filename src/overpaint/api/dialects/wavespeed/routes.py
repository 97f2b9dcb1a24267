"""Submission on any model's path, and the dialect's row. The path is a catch-all: its route comes after all others."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Header, Query

from overpaint.api.deps import CallDep
from overpaint.api.dialect import Dialect, joined
from overpaint.api.dialects.wavespeed import account, predictions, uploads
from overpaint.api.dialects.wavespeed.answers import ERRORS, prediction_of
from overpaint.api.dialects.wavespeed.convert import timed_out, to_draft
from overpaint.api.dialects.wavespeed.errors import render_error
from overpaint.api.dialects.wavespeed.schemas import PredictionAnswer, SubmitInput
from overpaint.api.dialects.wavespeed.webhook import webhook_format
from overpaint.api.json_body import described_body
from overpaint.api.models import model_at
from overpaint.api.submission import accept, finish, read_input

ROOT = "/api/v3"
EXAMPLE = {"images": ["https://example.com/apple.png"], "prompt": "replace the apple with a banana", "seed": -1}
submissions = APIRouter(tags=["wavespeed"], responses=ERRORS)


@submissions.post("/{model:path}", operation_id="wavespeed_submit", openapi_extra=described_body(SubmitInput, EXAMPLE))
async def submit(
    model: str,
    call: CallDep,
    webhook: Annotated[str | None, Query(description="Told once the prediction is completed or failed.")] = None,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> PredictionAnswer:
    """Submit a prediction; with `enable_sync_mode` the answer comes when it is done, or says that it is not yet."""
    service, config = call.service, call.config
    entry = model_at(service.catalogue, model)
    body = await read_input(call, SubmitInput)
    task = await accept(call, to_draft(body, entry, webhook, idempotency_key))
    if not body.enable_sync_mode:
        return PredictionAnswer(data=await prediction_of(task, call))
    task = await finish(call, task)
    prediction = await prediction_of(task, call)
    return PredictionAnswer(data=prediction if task.state.is_final else timed_out(prediction, config.sync_timeout_s))


WAVESPEED = Dialect(
    name="wavespeed",
    prefix="/wavespeed",
    router=joined(predictions.router, uploads.router, account.router, submissions, prefix=ROOT),
    render_error=render_error,
    native_paths=(f"{ROOT}/",),
    hosts=("api.wavespeed.ai",),
    webhooks=webhook_format,
    models=Path(__file__).with_name("models.toml"),
)
