"""What the application knows of a dialect: a row of plain values and functions. Knows no vendor."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter
from starlette.datastructures import Headers

from overpaint.api.error_answers import ErrorRenderer
from overpaint.api.public_url import Links
from overpaint.service.webhooks import WebhookFormat


@dataclass(frozen=True, slots=True)
class Dialect:
    """One vendor's way of speaking.

    Args:
        name: as tasks carry it.
        prefix: where its routes are mounted (``"/wavespeed"``).
        router: the routes, relative to the prefix.
        render_error: its error envelope.
        native_paths: beginnings of the vendor's own paths, served at the root too (``"/api/v3/"``).
        hosts: the vendor's host names, for who redirects them here by DNS or a proxy; where a vendor spreads its API
            over several, with what each one's paths are put below (``"cdn.acme.com/cdn"``).
        webhooks: what its webhooks look like; None where the vendor has none.
        models: TOML file of the vendor's names for models (`catalogue_file.read_catalogue`).
        claims: whether a request below the root, told by its path and headers, is for this dialect, where the path
            alone does not say (``/v1/models``).
    """

    name: str
    prefix: str
    router: APIRouter
    render_error: ErrorRenderer
    native_paths: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    webhooks: Callable[[Links], WebhookFormat] | None = None
    models: Path | None = None
    claims: Callable[[str, Headers], bool] = lambda _path, _headers: False

    def owns(self, path: str) -> bool:
        """Whether a path below the root is this dialect's."""
        return path == self.prefix or path.startswith(f"{self.prefix}/")


def joined(*parts: APIRouter, prefix: str = "") -> APIRouter:
    """One router of several, in order: what a catch-all could take must come before it."""
    router = APIRouter()
    for part in parts:
        router.include_router(part, prefix=prefix)
    return router
