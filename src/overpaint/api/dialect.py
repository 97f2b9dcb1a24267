"""What the application knows of a dialect: a row of plain values and functions. Knows no vendor."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter

from overpaint.api.errors import ErrorRenderer
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
        hosts: the vendor's host names, for who redirects them here by DNS or a proxy.
        webhooks: what its webhooks look like, by the dialect name that a task carries.
    """

    name: str
    prefix: str
    router: APIRouter
    render_error: ErrorRenderer
    native_paths: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    webhooks: Callable[[Links], dict[str, WebhookFormat]] = lambda _links: {}

    def owns(self, path: str) -> bool:
        """Whether a path below the root is this dialect's."""
        return path == self.prefix or path.startswith(f"{self.prefix}/")
