"""The native webhook: the task as ``GET /tasks/{id}`` shows it, signed as Standard Webhooks."""

from overpaint.api.native.convert import from_task
from overpaint.api.public_url import Links
from overpaint.core.task import Task
from overpaint.service.webhooks import WebhookFormat, sign_standard


def webhook_format(links: Links) -> WebhookFormat:
    """What native webhooks look like."""

    def render(task: Task) -> bytes:
        return from_task(task, links).model_dump_json().encode()

    return WebhookFormat(render=render, sign=sign_standard)
