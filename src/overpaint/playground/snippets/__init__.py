"""The present settings as code that runs as it is pasted: one file for each client, and a row for it here."""

from overpaint.playground.snippets import curl, fal, javascript, openai, wavespeed
from overpaint.playground.snippets.snippet import CodeRequest, Snippet

SNIPPETS: tuple[Snippet, ...] = (curl.CURL, javascript.FETCH, wavespeed.PYTHON, fal.PYTHON, openai.PYTHON)


def snippets_for(dialects: frozenset[str]) -> tuple[Snippet, ...]:
    """Those whose dialect this server speaks."""
    return tuple(snippet for snippet in SNIPPETS if snippet.dialect in dialects)


__all__ = ["SNIPPETS", "CodeRequest", "Snippet", "snippets_for"]
