"""The operator's view: queue, running tasks, pace and waits over time, failures, keys, log. For admin keys only."""

from typing import Any

import gradio as gr

from overpaint.core.errors import AccessError, OverpaintError
from overpaint.playground.component import component
from overpaint.playground.handlers import Handlers
from overpaint.playground.operator_view import operator_view
from overpaint.playground.telling import sentence
from overpaint.playground.wording import Words

REFRESH_S = 2.0


def add_operator_tab(handlers: Handlers, words: Words, tab: gr.Tab) -> None:
    """Fill the tab; it is asked for anew while it is looked at."""
    board = component("operator", words, value={"refused": None}, events=("stop",))
    timer = gr.Timer(REFRESH_S, active=False)

    async def look(request: gr.Request) -> dict[str, Any]:
        try:
            caller = await handlers.caller(request)
            caller.require_admin()
        except AccessError:
            return {"refused": words["operator_refused"]}
        return await operator_view(handlers.parts, caller)

    async def stop(event: gr.EventData, request: gr.Request) -> dict[str, Any]:
        try:
            caller = await handlers.caller(request)
            await handlers.parts.service.tasks.cancel(caller, str(event.id))
        except OverpaintError as error:
            return {"refused": sentence(error, words)}
        return await look(request)

    quiet: dict[str, Any] = {"show_progress": "hidden", "queue": False}
    tab.select(look, None, board, **quiet)
    tab.select(lambda: gr.Timer(active=True), None, timer, **quiet)
    timer.tick(look, None, board, **quiet)
    board.stop(stop, None, board, **quiet)
