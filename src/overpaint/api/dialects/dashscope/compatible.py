"""``compatible-mode``: one flat call in the manner of OpenAI's, with errors in that manner, too."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from overpaint.api.deps import CallDep
from overpaint.api.dialects.dashscope.answers import compatible
from overpaint.api.dialects.dashscope.convert import FAMILY, to_compatible_draft
from overpaint.api.dialects.dashscope.errors import render_compatible
from overpaint.api.dialects.dashscope.schemas import CompatibleInput
from overpaint.api.error_answers import answer_error
from overpaint.api.findings import from_validation
from overpaint.api.json_body import described_body
from overpaint.api.models import model_named
from overpaint.api.submission import paint, read_input
from overpaint.core.errors import OverpaintError

EXAMPLE = {"model": "qwen-image-3.0", "prompt": "a cat", "size": "1024x1024"}


class CompatibleRoute(APIRoute):
    """A route whose errors are worded like OpenAI's, those of the key too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See `APIRoute`."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as exc:
                return answer_error(render_compatible, from_validation(exc))
            except OverpaintError as exc:
                return answer_error(render_compatible, exc)

        return guarded


router = APIRouter(tags=["dashscope"], route_class=CompatibleRoute)


@router.post(
    "/compatible-mode/v1/images/generations",
    operation_id="dashscope_compatible",
    openapi_extra=described_body(CompatibleInput, EXAMPLE),
)
async def generations(call: CallDep) -> dict[str, Any]:
    """Paint, or edit where there is an `image`; always answers with URLs."""
    body = await read_input(call, CompatibleInput)
    entry = model_named(call.service.catalogue, body.model, FAMILY)
    return compatible(await paint(call, to_compatible_draft(body, entry.id)), call.links)
