"""How the page looks: paper and ink, one accent, light and dark. Fonts and scripts are this server's own."""

from typing import Any

import gradio as gr
from gradio.themes.utils import colors, fonts, sizes

from overpaint.playground import assets

_TEAL = colors.Color(
    c50="#effaf7",
    c100="#d7f2ea",
    c200="#b0e4d6",
    c300="#7dd0bd",
    c400="#46b39e",
    c500="#1f9582",
    c600="#117a6a",
    c700="#0f6256",
    c800="#104e46",
    c900="#11413b",
    c950="#042622",
    name="overpaint",
)
_FALLBACK = ("system-ui", "Noto Sans SC", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif")


def look() -> dict[str, Any]:
    """What `gr.mount_gradio_app` is told: theme, styles, and what stands in the head."""
    return {"theme": _theme(), "css": "", "head": _head()}


def _theme() -> gr.themes.Base:
    return gr.themes.Base(
        primary_hue=_TEAL,
        secondary_hue=colors.stone,
        neutral_hue=colors.stone,
        font=[fonts.LocalFont("IBM Plex Sans", weights=(400, 700)), *_FALLBACK],
        font_mono=[fonts.LocalFont("IBM Plex Mono", weights=(400,)), "ui-monospace", "monospace"],
        radius_size=sizes.radius_md,
        spacing_size=sizes.spacing_md,
    ).set(
        body_background_fill="#f7f5f2",
        body_background_fill_dark="#161513",
        body_text_color="#211e1a",
        body_text_color_dark="#efebe4",
        body_text_color_subdued="#655e55",
        body_text_color_subdued_dark="#b0a79b",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_padding="0px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_title_text_color="#3b362f",
        block_title_text_color_dark="#d9d2c7",
        block_title_text_weight="600",
        block_info_text_color="#655e55",
        block_info_text_color_dark="#b0a79b",
        border_color_primary="#ded8cf",
        border_color_primary_dark="#3a3632",
        border_color_accent="*primary_600",
        input_background_fill="#ffffff",
        input_background_fill_dark="#201e1b",
        input_border_color="#8d857a",
        input_border_color_dark="#6f675d",
        input_border_width="1px",
        input_placeholder_color="#6b645a",
        input_placeholder_color_dark="#a39a8d",
        input_shadow="none",
        input_shadow_focus="0 0 0 3px color-mix(in srgb, *primary_500 28%, transparent)",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_400",
        button_primary_background_fill_hover_dark="*primary_300",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#05211d",
        button_secondary_background_fill="#ece7df",
        button_secondary_background_fill_dark="#2c2925",
        button_secondary_text_color="#211e1a",
        button_secondary_text_color_dark="#efebe4",
        color_accent="*primary_600",
        color_accent_soft="*primary_50",
        color_accent_soft_dark="*primary_900",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
        checkbox_background_color_selected="*primary_600",
        checkbox_background_color_selected_dark="*primary_600",
        checkbox_label_background_fill="#ffffff",
        checkbox_label_background_fill_dark="#201e1b",
        checkbox_label_background_fill_selected="*primary_600",
        checkbox_label_background_fill_selected_dark="*primary_400",
        checkbox_label_text_color_selected="#ffffff",
        checkbox_label_text_color_selected_dark="#05211d",
        checkbox_label_border_color="#ded8cf",
        checkbox_label_border_color_dark="#3a3632",
        checkbox_label_border_width="1px",
        panel_background_fill="transparent",
        panel_background_fill_dark="transparent",
    )


def _head() -> str:
    """Styles before the first paint, and the colours that this browser chose the last time."""
    return (
        f'<link rel="stylesheet" href="{assets.url_of("page.css")}">'
        f'<link rel="stylesheet" href="{assets.url_of("screens.css")}">'
        f'<link rel="icon" type="image/svg+xml" href="{assets.url_of("mark.svg")}">'
        f'<script type="module" src="{assets.url_of("colours.js")}"></script>'
    )
