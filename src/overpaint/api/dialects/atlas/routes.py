"""Submit, poll and upload, and the dialect's row."""

from pathlib import Path

from fastapi import APIRouter

from overpaint.api.deps import Call, CallDep, note_task
from overpaint.api.dialect import Dialect, joined
from overpaint.api.dialects.atlas import catalogue
from overpaint.api.dialects.atlas.convert import BASE64, FAMILY, NAME, to_answer, to_draft
from overpaint.api.dialects.atlas.errors import render_error
from overpaint.api.dialects.atlas.schemas import ERRORS, GenerateInput, PredictionAnswer, Upload, UploadAnswer
from overpaint.api.form import described_form
from overpaint.api.inline import outputs_of
from overpaint.api.json_body import described_body
from overpaint.api.models import model_named
from overpaint.api.submission import accept, finish, read_input
from overpaint.api.task_ids import undashed
from overpaint.api.uploads import store_sent_file
from overpaint.core.task import Task

ROOT = "/api/v1/model"
EXAMPLE = {"model": "qwen/qwen-image-2.0/text-to-image", "prompt": "a cat", "size": "1024*1024", "seed": -1}
router = APIRouter(prefix=ROOT, tags=["atlas"], responses=ERRORS)


@router.post("/generateImage", operation_id="atlas_generate", openapi_extra=described_body(GenerateInput, EXAMPLE))
async def generate_image(call: CallDep) -> PredictionAnswer:
    """Submit a prediction; with `enable_sync_mode` the answer comes when it is done, or says that it is not yet."""
    body = await read_input(call, GenerateInput)
    entry = model_named(call.service.catalogue, body.model, FAMILY)
    task = await accept(call, to_draft(body, entry.id))
    return await _answer(call, await finish(call, task) if body.enable_sync_mode else task)


@router.get("/prediction/{prediction_id}", operation_id="atlas_prediction")
@router.get("/result/{prediction_id}", operation_id="atlas_result")
async def prediction(prediction_id: str, call: CallDep) -> PredictionAnswer:
    """A prediction as it is now, also with 200 when it failed; model pages poll it by either of its two paths."""
    task = await call.service.tasks.get(call.caller, undashed(prediction_id))
    note_task(call.request, task)
    return await _answer(call, task)


@router.post("/uploadMedia", operation_id="atlas_upload", openapi_extra=described_form("file"))
async def upload_media(call: CallDep) -> UploadAnswer:
    """Store a picture sent as a form; its URL is usable as an input."""
    stored, _ = await store_sent_file(call.request, call.service, call.caller, call.config)
    url = call.links.file(stored)
    return UploadAnswer(data=Upload(download_url=url, url=url), download_url=url, url=url)


async def _answer(call: Call, task: Task) -> PredictionAnswer:
    outputs = await outputs_of(task, call, is_inline=task.spec.wording == BASE64)
    return to_answer(task, call.links, outputs)


ATLAS = Dialect(
    name=NAME,
    prefix="/atlas",
    router=joined(router, catalogue.router),
    render_error=render_error,
    native_paths=(f"{ROOT}/", catalogue.ROOT),
    hosts=("api.atlascloud.ai",),
    models=Path(__file__).with_name("models.toml"),
)
