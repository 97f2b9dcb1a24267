"""WaveSpeed's webhooks: the bare prediction with its input, signed ``v3,<hex>``.

Source: https://wavespeed.ai/docs/docs-api/verifying_webhook (HMAC-SHA256 over ``id.timestamp.body``; the key is the
secret as text, without its prefix).
"""

import hashlib
import hmac
import json

from overpaint.api.dialects.wavespeed.convert import to_input, to_prediction
from overpaint.api.public_url import Links
from overpaint.core.task import Task
from overpaint.service.webhooks import Signing, WebhookFormat

SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret begins with is none


def webhook_format(links: Links) -> WebhookFormat:
    """What WaveSpeed's webhooks look like: always with URLs, pictures would burden every retry."""

    def render(task: Task) -> bytes:
        outputs = [links.file(output.file) for output in task.outputs]
        body = to_prediction(task, links, outputs).model_dump() | {"input": to_input(task, links)}
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()

    return WebhookFormat(render=render, sign=sign)


def sign(signing: Signing) -> dict[str, str]:
    """The three headers of a delivery."""
    key = signing.secret.removeprefix(SECRET_PREFIX).encode()
    message = f"{signing.delivery_id}.{signing.timestamp_s}.".encode() + signing.body
    digest = hmac.new(key, message, hashlib.sha256).hexdigest()
    return {
        "webhook-id": signing.delivery_id,
        "webhook-timestamp": str(signing.timestamp_s),
        "webhook-signature": f"v3,{digest}",
    }
