"""OpenAI's calls for words, which programs make with an image model's name, too: told where pictures are asked for.

Without this they would hear of a path that is not there, which clients report as a model that is not there.
"""

from typing import NoReturn

from fastapi import APIRouter

from overpaint.api.errors import RouteError

router = APIRouter(include_in_schema=False)
PATHS = ("/responses", "/chat/completions", "/completions")
SAID = (
    "this server paints and does not converse: ask for pictures at /v1/images/generations and /v1/images/edits, "
    "which clients call images.generate and images.edit"
)


async def refuse() -> NoReturn:
    """Tell where pictures are asked for.

    Raises:
        RouteError: always.
    """
    raise RouteError(404, SAID)


for path in PATHS:
    router.add_api_route(path, refuse, methods=["POST"], response_model=None)
    router.add_api_route(f"/deployments/{{deployment}}{path}", refuse, methods=["POST"], response_model=None)
