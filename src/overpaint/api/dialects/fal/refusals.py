"""fal's refusals, as the OpenAPI document describes them; what they say is decided in `errors`."""

from typing import Any

from pydantic import BaseModel, Field


class RefusalBody(BaseModel):
    """The body of every answer that is no success."""

    detail: str | list[dict[str, Any]] = Field(description="A text; what is wrong with an input is a list of findings.")
    error_type: str | None = Field(default=None, description="Of a text, where fal has one.", examples=["bad_request"])


ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": RefusalBody, "description": "It cannot be understood, or its state does not allow this."},
    401: {"model": RefusalBody, "description": "No key or token, or none for this."},
    402: {"model": RefusalBody, "description": "The key's budget is spent."},
    404: {"model": RefusalBody, "description": "No such application, request or file."},
    413: {"model": RefusalBody, "description": "Too large."},
    422: {"model": RefusalBody, "description": "An input is missing or cannot be used."},
    429: {"model": RefusalBody, "description": "Too many requests; see Retry-After."},
    499: {"model": RefusalBody, "description": "The request was cancelled."},
    500: {"model": RefusalBody, "description": "It could not be painted."},
    503: {"model": RefusalBody, "description": "Not now; see Retry-After."},
    504: {"model": RefusalBody, "description": "Not in time."},
}
