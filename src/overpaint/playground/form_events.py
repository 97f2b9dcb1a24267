"""What the form does: paint, tell price and time, follow the model, roll the dice, enrich the prompt."""

from typing import Any, cast

import gradio as gr

from overpaint.core.errors import OverpaintError, RequestError
from overpaint.playground.assets import imported
from overpaint.playground.controls import Controls, dollars, for_model, no_rewritten, refilled
from overpaint.playground.estimate import seconds_per_step
from overpaint.playground.handlers import Handlers, fresh_seed
from overpaint.playground.keeping import ask_kept, wire_keeping
from overpaint.playground.request_form import read_form, whole_number
from overpaint.playground.stage import LATEST, QUIET, Stage
from overpaint.playground.telling import told


def wire_form(page: gr.Blocks, stage: Stage, controls: Controls, masthead: gr.HTML, handlers: Handlers) -> None:
    """Connect the controls."""
    service, inputs, listed = handlers.parts.service, controls.inputs, controls.listed
    first = service.catalogue.models()[0]

    async def run(request: gr.Request, *values: Any) -> tuple[str, str]:
        try:
            form = read_form(controls.named(values))
            await handlers.submit(await handlers.desk(request), form.draft())
        except OverpaintError as error:
            return told(error, handlers.words)
        return "", ""

    async def greet(kept: dict[str, Any], request: gr.Request) -> tuple[Any, ...]:
        """Who looks; and what is other than when the page was made, or was set before a reload.

        Nothing else is sent: somebody may have begun to fill the form. Asked once more when the engine is there, which
        knows what the page could only guess.
        """
        caller = await handlers.caller(request)
        who = {"key": caller.key.name, "admin": caller.is_admin, "page": request.session_hash}
        try:
            entry, values = service.catalogue.find(kept.get("model", first.id)), kept
        except RequestError:  # the model is no more
            entry, values = first, {}
        now = for_model(service, entry, handlers.words)
        changes = {name: part for name, part in now.items() if entry != first or part != controls.first_model[name]}
        return who, *controls.changed(refilled(changes, values))

    async def estimate(model: str, count: object, steps: object, request: gr.Request) -> str:
        caller = await handlers.caller(request)
        try:
            entry = service.catalogue.find(model)
            pictures, num_steps = whole_number("count", count), whole_number("steps", steps)
        except RequestError:
            return ""  # what is wrong is told when it is to be painted
        pace = await seconds_per_step(service, caller, num_steps)
        price = dollars(entry.price_microusd * pictures)
        if pace is None:
            return handlers.words.say("estimate_price", price=price)
        return handlers.words.say("estimate", price=price, seconds=f"{max(0.1, pace * num_steps * pictures):.1f}")

    async def choose_model(model: str) -> tuple[Any, ...]:
        return controls.changed(for_model(service, service.catalogue.find(model), handlers.words))

    async def dice() -> tuple[int, bool]:
        return fresh_seed(), True

    controls.run.click(run, listed, [controls.notice, controls.problem], **QUIET)
    page.load(greet, masthead, [masthead, *listed], js=ask_kept(), **QUIET)
    loaded = cast("Any", masthead).loaded(greet, masthead, [masthead, *listed], js=ask_kept(is_now=True), **QUIET)
    loaded.then(None, js=f"async () => (await {imported('waiting.js')}).release('engine')")
    wire_keeping(controls)
    priced = [inputs[name] for name in ("model", "count", "steps")]
    gr.on([page.load, *(part.change for part in priced)], estimate, priced, controls.estimate, **LATEST)
    stage.canvas.done(estimate, priced, controls.estimate, **QUIET)
    inputs["model"].input(choose_model, inputs["model"], listed, **QUIET)
    controls.dice.click(dice, None, [inputs["seed"], inputs["lock"]], **QUIET)
    _wire_enhancer(controls, handlers)


def _wire_enhancer(controls: Controls, handlers: Handlers) -> None:
    inputs = controls.inputs

    async def enhance(prompt: str, references: dict[str, Any] | None, request: gr.Request) -> tuple[Any, ...]:
        """Ask for richer words, and show them for editing before they are used."""
        nothing = cast("Any", gr.skip())
        try:
            caller = await handlers.caller(request)
            is_edit = bool((references or {}).get("pictures"))
            richer = await handlers.parts.service.submit.enhance(caller, prompt, is_edit=is_edit)
        except OverpaintError as error:
            return nothing, nothing, told(error, handlers.words)[0]
        if richer is None:
            return nothing, nothing, f'<p role="status">{handlers.words["nothing_to_add"]}</p>'
        return gr.Textbox(value=richer, visible=True), gr.Button(visible=True), ""

    shown = [inputs["rewritten"], controls.discard]
    controls.enhance.click(
        enhance, [inputs["prompt"], inputs["references"]], [*shown, controls.notice], show_progress="hidden"
    )
    controls.discard.click(no_rewritten, None, shown, **QUIET)
