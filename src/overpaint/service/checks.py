"""Everything about a draft that can be judged without its pictures: numbers, words and names.

Pure: raises or returns. The pictures' own rules are `pictures`' business.
"""

from overpaint.core.errors import RequestError
from overpaint.core.request import GenerationRequest, check_adapter_count
from overpaint.core.sizes import Size
from overpaint.images.fetch_rules import read_target
from overpaint.service.canvas import asked_size
from overpaint.service.catalogue import Catalogue, ModelEntry
from overpaint.service.draft import Draft

MAX_IDEMPOTENCY_CHARS = 255


def check_draft(draft: Draft, entry: ModelEntry) -> Size | float | None:
    """See that a draft keeps the rules of its model, and return the size it asks for.

    Raises:
        RequestError: a field breaks a rule.
    """
    _check_words(draft, entry)
    _check_numbers(draft, entry)
    _check_names(draft)
    entry.pictures.check_count(len(draft.pictures))
    if draft.mask is not None and not draft.pictures:
        raise RequestError("mask", "a mask", "needs a picture to mask")
    return asked_size(draft.size, entry.output)


def check_prompt(prompt: str, catalogue: Catalogue) -> None:
    """See that a prompt is one that some model takes.

    Raises:
        RequestError: it is blank, too long, or no text.
    """
    _check_length("prompt", prompt, max(entry.max_prompt_chars for entry in catalogue.models()))
    GenerationRequest(prompt=prompt)


def _check_words(draft: Draft, entry: ModelEntry) -> None:
    for field, words in (("prompt", draft.prompt), ("negative_prompt", draft.negative_prompt or "")):
        _check_length(field, words, entry.max_prompt_chars)


def _check_length(field: str, words: str, max_chars: int) -> None:
    if len(words) > max_chars:
        raise RequestError(field, words, f"must be at most {max_chars} characters, it has {len(words)}")


def _check_numbers(draft: Draft, entry: ModelEntry) -> None:
    """`GenerationRequest` knows these rules; it is made without pictures and thrown away."""
    GenerationRequest(
        prompt=draft.prompt,
        negative_prompt=draft.negative_prompt,
        seed=draft.seed,
        num_images=draft.num_images,
        steps=draft.steps,
        true_cfg_scale=entry.true_cfg_scale if draft.true_cfg_scale is None else draft.true_cfg_scale,
        acceleration=draft.acceleration,
        size=None if isinstance(draft.size, str) else draft.size,
    )
    check_adapter_count(len(draft.adapters))
    if draft.num_images > entry.output.max_images:
        most = entry.output.max_images
        raise RequestError("num_images", draft.num_images, f"must be 1 to {most}" if most > 1 else "must be 1")


def check_webhook(url: str | None) -> None:
    """See that a webhook can be sent to a URL.

    Raises:
        RequestError: it is none.
    """
    if url is not None:
        try:
            read_target(url)
        except ValueError as exc:
            raise RequestError("webhook_url", url, str(exc)) from exc


def _check_names(draft: Draft) -> None:
    check_webhook(draft.webhook_url)
    key = draft.idempotency_key
    if key is not None and not (0 < len(key) <= MAX_IDEMPOTENCY_CHARS and key.isprintable()):
        raise RequestError("idempotency_key", key, f"must be 1 to {MAX_IDEMPOTENCY_CHARS} printable characters")
