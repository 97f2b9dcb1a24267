"""The present settings as code, for every client whose dialect this server speaks."""

from dataclasses import replace
from typing import Any, cast

import gradio as gr

from overpaint.core.errors import OverpaintError
from overpaint.playground.component import component
from overpaint.playground.controls import Controls
from overpaint.playground.handlers import Handlers
from overpaint.playground.request_form import RequestForm, read_form
from overpaint.playground.snippets import CodeRequest, snippets_for
from overpaint.playground.stage import LATEST
from overpaint.playground.telling import told
from overpaint.playground.wording import Words


def add_code_tab(handlers: Handlers, words: Words, controls: Controls, tab: gr.Tab) -> None:
    """Fill the tab."""
    known = {snippet.name: snippet for snippet in snippets_for(handlers.parts.dialects)}
    client = gr.Radio(
        label=words["client"],
        choices=[(snippet.title, snippet.name) for snippet in known.values()],
        value=next(iter(known)),
        elem_id="client",
        elem_classes="op-chips",
    )
    with_key = gr.Checkbox(label=words["with_key"], info=words["with_key_hint"], value=False, elem_id="with-key")
    code = component("code", words, value={"code": "", "language": "", "needs": ""})
    notice = gr.HTML("", elem_id="code-notice")

    async def render(request: gr.Request, name: str, shows_key: bool, *values: Any) -> tuple[Any, str]:
        snippet = known[name]
        try:
            await handlers.caller(request)
            form = read_form(controls.named(values))
            text = snippet.render(_request_of(handlers, form, request, shows_key=shows_key))
        except OverpaintError as error:
            return cast("Any", gr.skip()), "".join(told(error, handlers.words))
        return {"code": text, "language": snippet.language, "needs": snippet.needs}, ""

    inputs = [client, with_key, *controls.listed]
    gr.on([tab.select, client.input, with_key.input], render, inputs, [code, notice], **LATEST)


def _request_of(handlers: Handlers, form: RequestForm, request: gr.Request, *, shows_key: bool) -> CodeRequest:
    base = handlers.base_url(request)
    draft = form.draft()
    adapters = tuple(replace(one, source=_absolute(base, one.source)) for one in draft.adapters)
    return CodeRequest(
        draft=replace(draft, adapters=adapters),
        base=base,
        pictures=tuple(_absolute(base, picture.url) for picture in form.pictures),
        mask=base + form.mask.url if form.mask else None,
        key=handlers.secret(request) if shows_key else None,
    )


def _absolute(base: str, source: str) -> str:
    """A link of ours with its host; anything else as it is."""
    return base + source if source.startswith("/") else source
