"""The stage: canvas, tray and history; what they show comes as frames (`frames`)."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from overpaint.core.errors import OverpaintError
from overpaint.playground.component import component
from overpaint.playground.handlers import Handlers
from overpaint.playground.telling import sentence
from overpaint.playground.wording import Words

QUIET: dict[str, Any] = {"show_progress": "hidden", "queue": False, "trigger_mode": "multiple", "preprocess": False}
"""Short handlers are answered at once and nothing is dropped, past Gradio's queue.

They get what the fields hold as it is: Gradio would answer a number out of bounds with a failure that nobody is shown,
where the service says which field is wrong."""
LATEST: dict[str, Any] = {**QUIET, "trigger_mode": "always_last"}
"""What only shows the present settings: asked again when they changed meanwhile, so the last answer is for them."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Three parts."""

    canvas: gr.HTML
    tray: gr.HTML
    history: gr.HTML


def build_stage(handlers: Handlers, words: Words, cards: list[dict[str, Any]]) -> Stage:
    """The stage, empty; `cards` are the examples on an empty canvas."""

    async def difference(asked: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        try:
            caller = await handlers.caller(request)
            return await handlers.difference(caller, str(asked["id"]), int(asked["index"]))
        except OverpaintError as error:
            return {"told": sentence(error, words)}

    return Stage(
        canvas=component(
            "canvas",
            words,
            events=("stop", "use", "further", "again", "reuse", "example", "choose", "done"),
            calls=(difference,),
            cards=[{name: card[name] for name in ("title", "prompt", "picture")} for card in cards],
        ),
        tray=component("tray", words, events=("choose", "stop")),
        history=component(
            "history",
            words,
            kept_days=handlers.parts.keep_days,
            events=("choose", "session", "create", "rename", "forget"),
        ),
    )
