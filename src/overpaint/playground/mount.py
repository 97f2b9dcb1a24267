"""Puts the page under an application's `/`: one Gradio app for each language, behind the key, and no more of theirs.

Only the paths that the page needs are Gradio's; every other one is answered as if there were no page.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import gradio as gr
from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from overpaint.core.errors import AccessError
from overpaint.playground.page import build_page
from overpaint.playground.parts import PageParts
from overpaint.playground.routes import SIGN_IN, home_of, page_router
from overpaint.playground.theme import look
from overpaint.playground.wording import LANGUAGES, words_of

_OPEN_TO_ALL = ("assets/", "static/", "theme.css", "manifest.json")
_BEHIND_THE_KEY = ("config", "gradio_api/")
_NOT_OURS = tuple(
    f"gradio_api/{name}"
    for name in (
        *("upload", "file", "proxy", "runs", "run-history", "deep_link", "process_recording", "stream"),
        *("custom_component", "dev", "mcp", "vibe", "monitoring"),
    )
)
"""Gradio's, and of no use here: they read and write files beside the data, ask others, print what they are sent."""


def add_page(app: FastAPI, parts: PageParts) -> None:
    """Add the page to an application that has not started."""
    languages = {home_of(language): _gradio_app(parts, language) for language in LANGUAGES}
    app.include_router(page_router(parts))
    for home, page in languages.items():
        app.router.routes.append(PageRoute(home, page, parts))
    _share_life(app, list(languages.values()))


def _gradio_app(parts: PageParts, language: str) -> FastAPI:
    """A Gradio app of its own; it is not mounted by Gradio, which would take every path that is left."""
    blocks = build_page(parts, words_of(language))
    home = home_of(language)
    return gr.mount_gradio_app(
        FastAPI(openapi_url=None),
        blocks,
        home,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        show_error=False,
        **look(),
    )


def _share_life(app: FastAPI, others: list[FastAPI]) -> None:
    """Start and stop `others` with `app`."""
    own: Any = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(running: FastAPI) -> AsyncIterator[Any]:
        async with own(running) as state, AsyncExitStack() as stack:
            for other in others:
                await stack.enter_async_context(other.router.lifespan_context(other))
            yield state

    app.router.lifespan_context = lifespan


class PageRoute(BaseRoute):
    """The paths of the page in one language.

    Args:
        home: where it is (``"/"`` or ``"/zh"``).
        app: the Gradio app.
        parts: knows the visitors.
    """

    def __init__(self, home: str, app: ASGIApp, parts: PageParts) -> None:
        self.path = "/page"  # what log and metrics call all of it
        self._home = home.rstrip("/")
        self._app = app
        self._parts = parts

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the page answers this."""
        if scope["type"] != "http" or self._rest(scope) is None:
            return Match.NONE, {}
        return Match.FULL, {"route": self, "endpoint": self._app}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on for visitors we know; send others to the sign-in page, or away."""
        rest = self._rest(scope) or ""
        if self._home and scope["path"] == f"{self._home}/":  # what is relative on the page would be looked for there
            await RedirectResponse(f"..{self._home}", 308)(scope, receive, send)
            return
        if not rest.startswith(_OPEN_TO_ALL):
            try:
                await self._parts.visitors.caller(HTTPConnection(scope))
            except AccessError as error:
                turned_away = PlainTextResponse(error.message, 401) if rest else RedirectResponse(SIGN_IN, 303)
                await turned_away(scope, receive, send)
                return
        below = self._parts.path_of(HTTPConnection(scope))  # that a proxy took off: Gradio tells browsers where to ask
        path = f"{below}{self._home}/{rest}"
        await self._app({**scope, "path": path, "root_path": below}, receive, send)

    def _rest(self, scope: Scope) -> str | None:
        """The path within the page; None where it is not the page's."""
        path: str = scope["path"]
        if path == self._home:
            return ""
        if not path.startswith(f"{self._home}/"):
            return None
        rest = path.removeprefix(f"{self._home}/")
        if not rest:
            return ""
        is_ours = rest.startswith((*_OPEN_TO_ALL, *_BEHIND_THE_KEY)) and not rest.startswith(_NOT_OURS)
        return rest if is_ours else None
