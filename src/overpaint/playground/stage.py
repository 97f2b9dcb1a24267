"""The stage: canvas, tray and history, fed by one stream of frames for as long as the page is open."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from overpaint.core.errors import OverpaintError
from overpaint.playground.component import component
from overpaint.playground.handlers import Handlers
from overpaint.playground.wording import Words

QUIET: dict[str, Any] = {"show_progress": "hidden", "queue": False, "trigger_mode": "multiple"}
"""Short handlers are answered at once and nothing is dropped; only the stream of frames goes through Gradio's queue."""
LATEST: dict[str, Any] = {**QUIET, "trigger_mode": "always_last"}
"""What only shows the present settings: asked again when they changed meanwhile, so the last answer is for them."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Three parts, and what the browser remembers: the session it worked in."""

    canvas: gr.HTML
    tray: gr.HTML
    history: gr.HTML
    remembered: gr.BrowserState


def build_stage(handlers: Handlers, words: Words, cards: list[dict[str, Any]]) -> Stage:
    """The stage, empty; `cards` are the examples on an empty canvas."""

    async def difference(asked: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        try:
            caller = await handlers.caller(request)
            return await handlers.difference(caller, str(asked["id"]), int(asked["index"]))
        except OverpaintError as error:
            return {"told": error.message}

    return Stage(
        canvas=component(
            "canvas",
            words,
            value={"run": None, "index": 0},
            events=("stop", "use", "further", "again", "reuse", "example", "choose", "done"),
            calls=(difference,),
            cards=[{name: card[name] for name in ("title", "prompt", "picture")} for card in cards],
        ),
        tray=component("tray", words, value={"runs": [], "focus": None}, events=("choose", "stop")),
        history=component(
            "history",
            words,
            value={"nodes": [], "sessions": []},
            kept_days=handlers.parts.keep_days,
            events=("choose", "session", "create", "rename", "forget"),
        ),
        remembered=gr.BrowserState("", storage_key="overpaint-session", secret="overpaint"),  # noqa: S106 - no secret
    )


def wire_stream(page: gr.Blocks, stage: Stage, handlers: Handlers) -> None:
    """Have the stage show what happens."""

    async def watch(remembered: str, request: gr.Request) -> AsyncIterator[tuple[Any, Any, Any]]:
        """Frames until the page is closed or its key is revoked."""
        async for frame in handlers.frames(request, remembered):
            yield frame.canvas, frame.tray, frame.history

    def close(request: gr.Request) -> None:
        handlers.parts.desks.close(request.session_hash)

    shown = [stage.canvas, stage.tray, stage.history]
    page.load(watch, [stage.remembered], shown, show_progress="hidden", concurrency_limit=None)
    page.unload(close)
