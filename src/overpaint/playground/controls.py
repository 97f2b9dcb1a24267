"""The form's controls, as the catalogue's entry for the chosen model wants them. No number here is the page's own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any, cast

import gradio as gr

from overpaint.core.account import MICRO
from overpaint.core.errors import BackendError
from overpaint.core.request import (
    ACCELERATIONS,
    BACKGROUNDS,
    MAX_ADAPTERS,
    MAX_CFG_SCALE,
    MAX_SEED,
    MAX_STEPS,
    OUTPUT_FORMATS,
)
from overpaint.playground.component import component
from overpaint.playground.request_form import AUTO, FREE
from overpaint.playground.wording import Words
from overpaint.service.catalogue import ModelEntry
from overpaint.service.service import Service

FALLBACK_STEPS = 20


@dataclass(frozen=True, slots=True)
class Controls:
    """The form: its inputs by the names of `RequestForm`, what they were like first, and what stands between them.

    `adapters` tells all that their choice is made from. It goes with every answer that has the inputs: behind a closed
    accordion the choice is not there yet, and would lose what an answer leaves out.
    """

    inputs: dict[str, Any]
    first_model: dict[str, dict[str, Any]]
    adapters: Callable[[], dict[str, Any]]
    enhance: gr.Button
    discard: gr.Button
    dice: gr.Button
    run: gr.Button
    estimate: gr.HTML
    notice: gr.HTML
    problem: gr.HTML

    @property
    def listed(self) -> list[Any]:
        """The inputs in the order that handlers get their values."""
        return list(self.inputs.values())

    @property
    def first_values(self) -> dict[str, Any]:
        """What the inputs hold when the page is opened, by their names."""
        return {name: part.value for name, part in self.inputs.items()}

    def changed(self, changes: Mapping[str, Mapping[str, Any]]) -> tuple[Any, ...]:
        """What becomes different of the inputs, by name, in the order of `listed`; the others stay as they are."""
        told = {**changes, "adapters": {**self.adapters(), **changes.get("adapters", {})}}
        return tuple(cast("Any", gr.update(**told[name]) if name in told else gr.skip()) for name in self.inputs)

    def filled(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Values for the inputs by their names, in the order of `listed`; those not named stay as they are."""
        return self.changed({name: {"value": value} for name, value in values.items()})

    def named(self, values: tuple[Any, ...]) -> dict[str, Any]:
        """Values of `listed` by name."""
        return dict(zip(self.inputs, values, strict=True))


def build_controls(service: Service, words: Words) -> Controls:
    """The column of controls, for the catalogue's first model."""
    entry = service.catalogue.models()[0]
    inputs: dict[str, Any] = {}
    inputs["prompt"] = gr.Textbox(
        label=words["prompt"],
        placeholder=words["prompt_hint"],
        lines=4,
        max_lines=12,
        elem_id="prompt",
    )
    inputs["rewritten"] = gr.Textbox(
        label=words["rewritten"], info=words["rewritten_hint"], lines=3, visible=False, elem_id="rewritten"
    )
    with gr.Row(elem_classes="op-line"):
        enhance = gr.Button(words["enhance"], size="sm", elem_id="enhance")
        discard = gr.Button(words["discard"], size="sm", visible=False, elem_id="discard")
    inputs["references"] = component(
        "references", words, value={"pictures": [], "mask": None}, events=("change",), most=entry.pictures.max_count
    )
    problem = gr.HTML("", elem_id="problem")
    inputs["model"] = gr.Dropdown(
        label=words["model"],
        choices=[(f"{model.id} · {dollars(model.price_microusd)}", model.id) for model in service.catalogue.models()],
        value=entry.id,
        info=entry.title,
        elem_id="model",
        filterable=False,
    )
    inputs |= _shape(service, entry, words)
    inputs["count"] = gr.Slider(
        1, entry.output.max_images, 1, step=1, label=words["count"], elem_id="count", buttons=[]
    )
    with gr.Row(elem_classes="op-line op-seed"):
        inputs["seed"] = gr.Number(
            label=words["seed"], value=0, precision=0, minimum=0, maximum=MAX_SEED, elem_id="seed", min_width=120
        )
        dice = gr.Button(words["dice"], size="sm", elem_id="dice", min_width=80)
        inputs["lock"] = gr.Checkbox(label=words["lock"], value=False, elem_id="lock", min_width=100)
    with gr.Accordion(words["advanced"], open=False, elem_id="advanced"):
        inputs |= _advanced(service, entry, words)
    with gr.Column(elem_classes="op-go"):
        notice = gr.HTML("", elem_id="notice")
        run = gr.Button(words["run"], variant="primary", size="lg", elem_id="run")
        estimate = gr.HTML("", elem_id="estimate")
    first = for_model(service, entry, words)

    def adapters() -> dict[str, Any]:
        return {"words": dict(words), **adapters_of(service)}

    return Controls(inputs, first, adapters, enhance, discard, dice, run, estimate, notice, problem)


def _shape(service: Service, entry: ModelEntry, words: Words) -> dict[str, Any]:
    shape = gr.Radio(
        label=words["shape"], choices=_shapes(entry, words), value=AUTO, elem_id="shape", elem_classes="op-chips"
    )
    with gr.Row(visible=False, elem_classes="op-line") as free:
        width, height = (
            gr.Number(label=words[side], precision=0, min_width=120, elem_id=side, **_sides(service, entry))
            for side in ("width", "height")
        )

    def show_sides(chosen: str) -> gr.Row:
        return gr.Row(visible=chosen == FREE)

    shape.change(show_sides, shape, free, queue=False, show_progress="hidden")
    return {"shape": shape, "width": width, "height": height}


def _advanced(service: Service, entry: ModelEntry, words: Words) -> dict[str, Any]:
    steps = steps_of(service, entry)
    formats, backgrounds = list(OUTPUT_FORMATS), [(words[f"background_{name}"], name) for name in BACKGROUNDS]
    return {
        "negative": gr.Textbox(label=words["negative"], info=words["negative_hint"], lines=2, elem_id="negative"),
        "steps": gr.Slider(1, MAX_STEPS, steps, step=1, label=words["steps"], elem_id="steps", buttons=[]),
        "guidance": gr.Slider(
            1,
            MAX_CFG_SCALE,
            entry.true_cfg_scale,
            step=0.1,
            label=words["guidance"],
            info=words["guidance_hint"],
            elem_id="guidance",
            buttons=[],
        ),
        "adapters": component(
            "adapters",
            words,
            value={"chosen": []},
            events=("change",),
            **adapters_of(service),
        ),
        "acceleration": gr.Radio(
            [(words[f"acceleration_{name}"], name) for name in ACCELERATIONS],
            value="none",
            label=words["acceleration"],
            info=words["acceleration_hint"],
            elem_id="acceleration",
            elem_classes="op-chips",
        ),
        "format": gr.Radio(formats, value="png", label=words["format"], elem_id="format", elem_classes="op-chips"),
        "background": gr.Radio(
            backgrounds, value="auto", label=words["background"], elem_id="background", elem_classes="op-chips"
        ),
        "batch": gr.Checkbox(label=words["batch"], info=words["batch_hint"], value=False, elem_id="batch"),
    }


def for_model(service: Service, entry: ModelEntry, words: Words) -> dict[str, dict[str, Any]]:
    """What inputs are like for a model, where that depends on it, by their names; see `Controls.changed`."""
    return {
        "references": {"most": entry.pictures.max_count},
        "model": {"info": entry.title},
        "shape": {"choices": _shapes(entry, words), "value": AUTO},
        "width": _sides(service, entry),
        "height": _sides(service, entry),
        "count": {"maximum": entry.output.max_images, "value": 1},
        "steps": {"value": steps_of(service, entry)},
        "guidance": {"value": entry.true_cfg_scale},
    }


def refilled(changes: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Changes of inputs with values of earlier, by their names, in the place of the model's own."""
    return {**changes, **{name: {**changes.get(name, {}), "value": value} for name, value in values.items()}}


def no_rewritten() -> tuple[gr.Textbox, gr.Button]:
    """The enriched words and the button that discards them, as long as there are none."""
    return gr.Textbox(value="", visible=False), gr.Button(visible=False)


def adapters_of(service: Service) -> dict[str, Any]:
    """What the choice of adapters is made from."""
    return {"most": MAX_ADAPTERS, "offered": list(service.adapters.names())}


def steps_of(service: Service, entry: ModelEntry) -> int:
    """Steps that a model takes when nobody says."""
    if entry.steps is not None:
        return entry.steps
    try:
        return service.model_info.default_steps
    except BackendError:
        return FALLBACK_STEPS


def dollars(microusd: int) -> str:
    """A price, for people."""
    return f"${microusd / MICRO:.2f}"


def _shapes(entry: ModelEntry, words: Words) -> list[tuple[str, str]]:
    presets = [(name, name) for name in entry.output.presets]
    return [(words["shape_auto"], AUTO), *presets, (words["shape_free"], FREE)]


def _sides(service: Service, entry: ModelEntry) -> dict[str, Any]:
    """Bounds of a free side, and the side of what the checkpoint paints by itself."""
    least, most = entry.output.min_side_px, entry.output.max_side_px
    try:
        own = isqrt(service.model_info.sizes.default_area)
    except BackendError:
        own = most
    return {"minimum": least, "maximum": most, "value": max(least, min(most, own))}
