"""What the HTTP border can be told. A frozen value; `settings` makes it."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from overpaint.core.errors import ConfigError

MIB = 1024 * 1024
BODIES_AT_ONCE = 16
"""Of the largest."""


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """How the border behaves.

    Args:
        public_url: scheme, host and path prefix that clients reach this server by; None takes it from each request.
        fallback_url: where links in webhooks point when `public_url` is None, because no request is at hand there.
        sync_timeout_s: how long a call that waits for its result is held at most.
        max_body_bytes: largest request body.
        max_upload_bytes: largest uploaded file.
    """

    public_url: str | None = None
    fallback_url: str = "http://localhost:8000"
    sync_timeout_s: float = 120.0
    max_body_bytes: int = 128 * MIB
    max_upload_bytes: int = 64 * MIB

    def __post_init__(self) -> None:
        for key, value in (("public_url", self.public_url), ("fallback_url", self.fallback_url)):
            if value is not None and not _is_base(value):
                raise ConfigError(f"{key}: {value!r} must be like https://images.example.com or .../prefix")
        if not 0 < self.sync_timeout_s <= 3600:
            raise ConfigError(f"sync_timeout_s: {self.sync_timeout_s:g} must be above 0 and at most 3600")
        for key, value in (("max_body_bytes", self.max_body_bytes), ("max_upload_bytes", self.max_upload_bytes)):
            if value < MIB:
                raise ConfigError(f"{key}: {value} must be at least {MIB}")

    @property
    def max_held_bytes(self) -> int:
        """Of the bodies of all requests that are under way."""
        return BODIES_AT_ONCE * self.max_body_bytes

    @property
    def link_base(self) -> str:
        """What to put before a path where there is no request to read it from."""
        return (self.public_url or self.fallback_url).rstrip("/")


def _is_base(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
