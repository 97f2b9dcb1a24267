"""What survives a reload of the form beside its words and pictures: its settings, kept by the browser (`keep.js`)."""

import json

import gradio as gr

from overpaint.playground import assets
from overpaint.playground.controls import Controls
from overpaint.playground.stage import QUIET

_MODULE = assets.imported("keep.js")
_KEPT_OTHERWISE = ("prompt", "rewritten", "references")


def wire_keeping(controls: Controls) -> None:
    """Have the browser keep the settings whenever one changes."""
    inputs = {name: part for name, part in controls.inputs.items() if name not in _KEPT_OTHERWISE}
    first = json.dumps({name: controls.first_values[name] for name in inputs})
    keep = f"async (...values) => {{ (await {_MODULE}).keepSettings({first}, values); }}"
    gr.on([part.change for part in inputs.values()], None, list(inputs.values()), None, js=keep, **QUIET)


def ask_kept(*, is_now: bool = False) -> str:
    """A script that gives an event the settings that the browser kept, by name: those before the page was loaded."""
    return f"async () => [(await {_MODULE}).{'presentSettings' if is_now else 'keptSettings'}()]"
