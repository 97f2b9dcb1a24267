"""What became of a task, in DashScope's words. Pure: links arrive as a value."""

from datetime import UTC, datetime
from typing import Any

from overpaint.api.conversation import answer
from overpaint.api.dialects.dashscope.convert import FAMILY, FORM
from overpaint.api.dialects.dashscope.errors import CODE_OF_FAILURE, INTERNAL
from overpaint.api.models import vendor_name
from overpaint.api.public_url import Links
from overpaint.api.request_id import request_id
from overpaint.api.task_ids import dashed
from overpaint.core.task import Task, TaskState

STATUS_OF: dict[TaskState, str] = {
    TaskState.QUEUED: "PENDING",
    TaskState.RUNNING: "RUNNING",
    TaskState.SUCCEEDED: "SUCCEEDED",
    TaskState.FAILED: "FAILED",
    TaskState.CANCELLED: "CANCELED",
}
UNKNOWN = "UNKNOWN"


def accepted(task: Task) -> dict[str, Any]:
    """What an asynchronous submission is told."""
    return {"request_id": request_id(), "output": {"task_id": dashed(task.id), "task_status": STATUS_OF[task.state]}}


def unknown(task_id: str) -> dict[str, Any]:
    """What is told of a task that is not there (any more): both generations of the client take it for an end."""
    return {"request_id": request_id(), "output": {"task_id": task_id, "task_status": UNKNOWN}}


def finished(task: Task, links: Links) -> dict[str, Any]:
    """What a synchronous call is told. No code and no message: the clients take those for an error."""
    if task.spec.wording.get(FORM) == "results":
        return snapshot(task, links)
    return {"request_id": request_id(), "output": answer(_urls(task, links)), "usage": usage(task)}


def snapshot(task: Task, links: Links) -> dict[str, Any]:
    """A task as it is now; also with 200 when it failed."""
    body: dict[str, Any] = {"request_id": request_id(), "output": to_output(task, links)}
    return body | ({"usage": usage(task)} if task.state is TaskState.SUCCEEDED else {})


def to_output(task: Task, links: Links) -> dict[str, Any]:
    """Status, times, and pictures or the reason why there are none."""
    output: dict[str, Any] = {
        "task_id": dashed(task.id),
        "task_status": STATUS_OF[task.state],
        "submit_time": _moment(task.created_at),
    }
    if task.started_at:
        output["scheduled_time"] = _moment(task.started_at)
    if task.finished_at:
        output["end_time"] = _moment(task.finished_at)
    if task.failure:
        output |= {"code": CODE_OF_FAILURE.get(task.failure.code, INTERNAL), "message": task.failure.message}
    if task.state.is_final:
        total, done = task.spec.num_images, len(task.outputs)
        output["task_metrics"] = {"TOTAL": total, "SUCCEEDED": done, "FAILED": total - done}
    return output | (_pictures(task, links) if task.outputs else {})


def usage(task: Task) -> dict[str, Any]:
    """What was painted, in the words of older and newer models."""
    first, count = task.outputs[0].file, len(task.outputs)
    return {
        "width": first.width,
        "height": first.height,
        "image_count": count,
        "output_width": first.width,
        "output_height": first.height,
        "output_image_count": count,
        "input_image_count": len(task.spec.pictures),
    }


def compatible(task: Task, links: Links) -> dict[str, Any]:
    """What the OpenAI-like call is told."""
    data = [{"url": url} for url in _urls(task, links)]
    return {"created": int(task.created_at.timestamp()), "data": data, "usage": usage(task)}


def row(task: Task) -> dict[str, Any]:
    """A task in the documented list; times in milliseconds."""
    return {
        "api_key_id": task.key_id,
        "caller_parent_id": task.key_id,
        "caller_uid": task.key_id,
        "user_api_unique_key": task.key_id,
        "gmt_create": _millis(task.created_at),
        "start_time": _millis(task.started_at),
        "end_time": _millis(task.finished_at),
        "region": "local",
        "request_id": dashed(task.id),
        "status": STATUS_OF[task.state],
        "task_id": dashed(task.id),
        "model_name": vendor_name(task.spec.model, FAMILY),
    }


def _pictures(task: Task, links: Links) -> dict[str, Any]:
    urls = _urls(task, links)
    if task.spec.wording.get(FORM) != "results":
        return answer(urls, {"type": "image"})
    words = {"orig_prompt": task.spec.prompt}
    if task.spec.enhanced_prompt:
        words["actual_prompt"] = task.spec.enhanced_prompt
    return {"results": [words | {"url": url} for url in urls]}


def _urls(task: Task, links: Links) -> list[str]:
    return [links.file(output.file) for output in task.outputs]


def _moment(time: datetime) -> str:
    """``2026-01-01 00:00:00.123``; UTC here."""
    return time.astimezone(UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")


def _millis(time: datetime | None) -> int | None:
    return round(time.timestamp() * 1000) if time else None
