"""A part of the page that is ours: an empty element, a script module that fills it, and the events it sends."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from overpaint.playground import assets

_ON_LOAD = """
const events = %(events)s;
%(module)s.then((part) => part.mount({element, props, server, watch, trigger, events}));
"""


def component(
    module: str,
    words: Mapping[str, str],
    *,
    value: Any = None,
    events: tuple[str, ...] = (),
    calls: tuple[Callable[..., Any], ...] = (),
    **props: Any,
) -> gr.HTML:
    """A part of the page.

    Args:
        module: name of its script, without the suffix; also the element's id.
        words: for its labels; those that begin with its name, and the common ones.
        value: what it shows first; JSON.
        events: names of what it sends; each becomes a listener (``part.choose(...)``).
        calls: functions that its script can ask, by their names.
        props: more values for the script.
    """
    script = _ON_LOAD % {"events": json.dumps(list(events)), "module": assets.imported(f"{module}.js")}
    return gr.HTML(
        value,
        html_template=f'<div class="op op-{module}"></div>',
        js_on_load=script,
        apply_default_css=False,
        elem_id=module,
        server_functions=list(calls) or None,
        words={name: words[name] for name in words},
        **props,
    )
