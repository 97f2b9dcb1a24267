"""What the canvas asks: stop, once more, go on from a picture, its settings again, an example."""

from typing import Any, cast

import gradio as gr

from overpaint.core.errors import OverpaintError
from overpaint.playground.controls import Controls, for_model, no_rewritten, refilled
from overpaint.playground.earlier import strip_of
from overpaint.playground.handlers import Handlers
from overpaint.playground.request_form import read_form
from overpaint.playground.stage import QUIET, Stage
from overpaint.playground.telling import told


def wire_runs(stage: Stage, controls: Controls, handlers: Handlers) -> None:
    """Connect what stops a run or makes it once more."""

    async def stop(event: gr.EventData, request: gr.Request) -> tuple[str, str]:
        try:
            await handlers.stop(await handlers.desk(request), str(event.id))
        except OverpaintError as error:
            return told(error, handlers.words)
        return "", ""

    async def again(event: gr.EventData, request: gr.Request) -> tuple[str, str]:
        try:
            await handlers.paint_again(await handlers.desk(request), str(event.id))
        except OverpaintError as error:
            return told(error, handlers.words)
        return "", ""

    notes = [controls.notice, controls.problem]
    for part in (stage.canvas, stage.tray):
        part.stop(stop, None, notes, **QUIET)
    stage.canvas.again(again, None, notes, **QUIET)


def wire_results(stage: Stage, controls: Controls, cards: list[dict[str, Any]], handlers: Handlers) -> None:
    """Connect what leads from a result, or from one of the examples `cards`, back to the form."""
    unchanged, service = cast("Any", gr.skip()), handlers.parts.service

    async def use(references: dict[str, Any] | None, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Add a result to the references."""
        try:
            picture = await handlers.result(await handlers.caller(request), str(event.id), int(event.index))
        except OverpaintError as error:
            return unchanged, *told(error, handlers.words)
        present = references or {}
        added = {"pictures": [*present.get("pictures", []), picture.value], "mask": present.get("mask")}
        return added, "", ""

    async def further(event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Go on from a result alone; the words are the visitor's, who may be typing already.

        The enriched ones were for what is painted by now, and would be painted again in the place of those to come.
        """
        try:
            picture = await handlers.result(await handlers.caller(request), str(event.id), int(event.index))
        except OverpaintError as error:
            return unchanged, unchanged, unchanged, *told(error, handlers.words)
        return strip_of((picture,), None), *no_rewritten(), "", ""

    async def reuse(event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """The settings of an earlier run back in the form, within what its model takes; its seed locked."""
        try:
            earlier = await handlers.earlier(await handlers.desk(request), str(event.id))
            model = service.catalogue.find(earlier.task.spec.model)
        except OverpaintError as error:
            return *controls.filled({}), *told(error, handlers.words)
        changes = refilled(for_model(service, model, handlers.words), earlier.settings)
        return *controls.changed(changes), "", ""

    async def example(event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Fill in an example and paint it."""
        card = cards[int(event.index)]
        try:
            desk = await handlers.desk(request)
            pictures = await handlers.example_pictures(desk, card)
            filled = {"prompt": card["prompt"], "rewritten": "", "references": strip_of(pictures, None)}
            await handlers.submit(desk, read_form(controls.first_values | filled).draft())
        except OverpaintError as error:
            return *controls.filled({}), *told(error, handlers.words)
        return *controls.filled(filled), "", ""

    canvas, listed, notes = stage.canvas, controls.listed, [controls.notice, controls.problem]
    references, rewritten = controls.inputs["references"], controls.inputs["rewritten"]
    canvas.use(use, references, [references, *notes], **QUIET)
    canvas.further(further, None, [references, rewritten, controls.discard, *notes], **QUIET)
    canvas.reuse(reuse, None, [*listed, *notes], **QUIET)
    canvas.example(example, None, [*listed, *notes], **QUIET)
