"""Example cards, from `examples.toml`: words and a picture that the bundled checkpoint can do something with."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from overpaint.playground import assets
from overpaint.playground.live import data_uri
from overpaint.playground.wording import Words

_CARDS = Path(__file__).with_name("examples.toml")
_SAMPLES = Path(__file__).parents[1] / "bundled" / "samples"


def example_cards(words: Words) -> list[dict[str, Any]]:
    """The cards in a language: title, prompt, what to show, and the sample to start from (None for words alone)."""
    return [
        {
            "title": card["title"][words.language],
            "prompt": card["prompt"][words.language],
            "picture": assets.url_of(card["thumb"])
            if "thumb" in card
            else data_uri(sample_bytes(card["picture"]), "image/png"),
            "sample": card.get("picture"),
        }
        for card in tomllib.loads(_CARDS.read_text("utf-8"))["card"]
    ]


@cache
def sample_bytes(name: str) -> bytes:
    """A bundled sample picture."""
    return (_SAMPLES / name).read_bytes()
