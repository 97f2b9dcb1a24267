"""fal's webhooks: the output or the refusal in an envelope, signed with Ed25519.

Source: https://docs.fal.ai/model-endpoints/webhooks (the signature is over request id, user id, time and the body's
SHA-256, one a line; the public key is at ``/.well-known/jwks.json``).
"""

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from overpaint.api.dialects.fal.answers import output_of
from overpaint.api.dialects.fal.endings import ending_error
from overpaint.api.dialects.fal.errors import refusal_of
from overpaint.api.public_url import Links
from overpaint.api.task_ids import dashed
from overpaint.core.task import Task
from overpaint.service.links import FileLinks
from overpaint.service.webhooks import Signing, WebhookFormat

PURPOSE = "fal webhooks"


def webhook_format(links: Links) -> WebhookFormat:
    """What fal's webhooks look like: always with URLs, pictures would burden every retry."""

    def render(task: Task) -> bytes:
        return json.dumps(envelope(task, links), separators=(",", ":")).encode()

    def sign(signing: Signing) -> dict[str, str]:
        return signed_headers(signing, private_key(links.files))

    return WebhookFormat(render=render, sign=sign)


def envelope(task: Task, links: Links) -> dict[str, Any]:
    """What is told of a task."""
    ids = {"request_id": dashed(task.id), "gateway_request_id": dashed(task.id)}
    error = ending_error(task)
    if error is None:
        return ids | {"status": "OK", "payload": output_of(task, links).model_dump(), "error": None}
    refusal = refusal_of(error)
    return ids | {"status": "ERROR", "error": f"Invalid status code: {refusal.status}", "payload": refusal.body}


def signed_headers(signing: Signing, key: Ed25519PrivateKey) -> dict[str, str]:
    """The four headers of a delivery. The user's id is drawn from the key's webhook secret and tells nothing of it."""
    request_id = json.loads(signing.body)["request_id"]
    user_id = hashlib.sha256(signing.secret.encode()).hexdigest()[:32]
    digest = hashlib.sha256(signing.body).hexdigest()
    message = "\n".join((request_id, user_id, str(signing.timestamp_s), digest))
    return {
        "X-Fal-Webhook-Request-Id": request_id,
        "X-Fal-Webhook-User-Id": user_id,
        "X-Fal-Webhook-Timestamp": str(signing.timestamp_s),
        "X-Fal-Webhook-Signature": key.sign(message.encode()).hex(),
    }


def private_key(links: FileLinks) -> Ed25519PrivateKey:
    """The server's, drawn from its secret: the same after a restart."""
    return Ed25519PrivateKey.from_private_bytes(links.secret_for(PURPOSE))


def public_keys(links: FileLinks) -> dict[str, Any]:
    """Its public half as a JSON Web Key Set (RFC 7517, RFC 8037)."""
    raw = private_key(links).public_key().public_bytes_raw()
    x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": hashlib.sha256(raw).hexdigest()[:16]}]}
