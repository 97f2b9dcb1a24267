"""Files put into a cache at once."""

from pathlib import Path

from overpaint.lora.cache import AdapterCache


def kept(cache: AdapterCache, data: bytes) -> tuple[str, Path]:
    with cache.arriving() as arriving:
        arriving.write(data)
        return cache.keep(arriving)
