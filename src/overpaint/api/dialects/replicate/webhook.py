"""Replicate's webhooks: the prediction as it is read, signed as Standard Webhooks.

Source: https://replicate.com/docs/topics/webhooks/verify-webhook
"""

from overpaint.api.dialects.replicate.tell import to_prediction
from overpaint.api.public_url import Links
from overpaint.core.task import Task
from overpaint.service.webhooks import WebhookFormat, sign_standard


def webhook_format(links: Links) -> WebhookFormat:
    """What Replicate's webhooks look like: always with links, pictures would burden every retry."""

    def render(task: Task) -> bytes:
        outputs = [links.file(output.file) for output in task.outputs]
        return to_prediction(task, links, outputs).model_dump_json().encode()

    return WebhookFormat(render=render, sign=sign_standard)
