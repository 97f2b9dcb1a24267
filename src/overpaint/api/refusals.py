"""What the OpenAPI document says of answers that are no success: one sentence a status, each dialect's own body."""

from typing import Any

from pydantic import BaseModel

TEXTS = {
    400: "A field breaks a rule.",
    401: "No key, or not one of this server.",
    402: "The key's budget is spent.",
    403: "This needs an admin key.",
    404: "There is no such thing that this key may see.",
    409: "Its state does not allow this.",
    413: "The body is too large.",
    429: "Too many requests; see Retry-After.",
    503: "Not now; see Retry-After.",
}


def refusals(body: type[BaseModel], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of routes that refuse with `body`."""
    return {status: {"model": body, "description": TEXTS[status]} for status in statuses}
