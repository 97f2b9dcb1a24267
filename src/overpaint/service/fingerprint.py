"""What a draft asks for, as one hash: equal for a request and its retry, whatever key or headers came along."""

import asyncio
import hashlib
from dataclasses import replace

from overpaint.service.caller import Caller
from overpaint.service.draft import Draft, PictureBytes, PictureDataUri, PictureSource

_QUICK_BYTES = 256 * 1024


async def fingerprint_of(caller: Caller, draft: Draft) -> str:
    """SHA-256 in hex over the key and everything that was asked, pictures by content."""
    size = sum(_weight(source) for source in draft.pictures)
    if size < _QUICK_BYTES:
        return _hash(caller, draft)
    return await asyncio.to_thread(_hash, caller, draft)


def _hash(caller: Caller, draft: Draft) -> str:
    digest = hashlib.sha256(caller.key_id.encode())
    asked = replace(draft, pictures=(), mask=None, idempotency_key=None, is_retry=False)
    digest.update(ascii(asked).encode())
    for source in (*draft.pictures, *((draft.mask,) if draft.mask else ())):
        digest.update(type(source).__name__.encode())
        digest.update(hashlib.sha256(_content(source)).digest())
    digest.update(b"masked" if draft.mask else b"whole")
    return digest.hexdigest()


def _content(source: PictureSource) -> bytes:
    if isinstance(source, PictureBytes):
        return source.data
    text = source.uri if isinstance(source, PictureDataUri) else ascii(source)
    return text.encode("utf-8", "surrogatepass")


def _weight(source: PictureSource) -> int:
    if isinstance(source, PictureBytes):
        return len(source.data)
    return len(source.uri) if isinstance(source, PictureDataUri) else 0
