"""The page in one language: where everything stands, and which event leads to which use case."""

from typing import Any

import gradio as gr

from overpaint.playground.code_tab import add_code_tab
from overpaint.playground.component import component
from overpaint.playground.controls import Controls, build_controls
from overpaint.playground.examples import example_cards
from overpaint.playground.form_events import wire_form
from overpaint.playground.handlers import Handlers
from overpaint.playground.operator_tab import add_operator_tab
from overpaint.playground.parts import PageParts
from overpaint.playground.result_events import wire_results, wire_runs
from overpaint.playground.session_events import wire_sessions
from overpaint.playground.stage import Stage, build_stage
from overpaint.playground.wording import LANGUAGES, Words


def build_page(parts: PageParts, words: Words) -> gr.Blocks:
    """The page.

    Args:
        parts: what it stands on.
        words: its language.
    """
    handlers, cards = Handlers(parts, words), example_cards(words)
    with gr.Blocks(title="Overpaint", analytics_enabled=False, fill_width=True) as page:
        page.queue(default_concurrency_limit=None, api_open=False)
        masthead = component(
            "masthead", words, value={}, events=("loaded",), language=words.language, languages=LANGUAGES
        )
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab(words["tab_paint"], id="paint", elem_id="tab-paint"):
                controls, stage = _paint_tab(handlers, words, cards)
            with gr.Tab(words["tab_code"], id="code", elem_id="tab-code") as code_tab:
                add_code_tab(handlers, words, controls, code_tab)
            with gr.Tab(words["tab_operator"], id="operator", elem_id="tab-operator") as operator_tab:
                add_operator_tab(handlers, words, operator_tab)
        wire_form(page, stage, controls, masthead, handlers)
        wire_runs(stage, controls, handlers)
        wire_results(stage, controls, cards, handlers)
        wire_sessions(stage, controls.notice, handlers)
    return page


def _paint_tab(handlers: Handlers, words: Words, cards: list[dict[str, Any]]) -> tuple[Controls, Stage]:
    with gr.Row(elem_classes="op-desk", equal_height=False):
        with gr.Column(elem_classes="op-controls", min_width=320):
            controls = build_controls(handlers.parts.service, words)
        with gr.Column(elem_classes="op-stage", min_width=320):
            stage = build_stage(handlers, words, cards)
    return controls, stage
