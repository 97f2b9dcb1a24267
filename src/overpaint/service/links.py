"""Signed, expiring links to stored files: paths that need no key, because they cannot be guessed or changed.

Knows paths only; the border puts its own host in front. A link proves by its signature that this server made it, so own
links are recognised in requests whatever host name they carry.
"""

import hashlib
import hmac
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from overpaint.core.errors import AccessError, ConfigError
from overpaint.service.clock import ServiceClock

FILES_PATH = "/files/"
DAY_S = 24 * 3600
MIN_SECRET_BYTES = 16
MAX_LINK_CHARS = 2048
_LINKS_PER_LIFETIME = 64


class FileLinks:
    """Makes and checks links.

    Args:
        secret: at least 16 bytes; the same after a restart, else old links die.
        clock: tells the time.
        lifetime_s: how long a link works, and up to a 64th longer.
        path: what the path of every link starts with.

    Raises:
        ConfigError: the secret is too short.
    """

    def __init__(self, secret: bytes, clock: ServiceClock, lifetime_s: int = 7 * DAY_S, path: str = FILES_PATH) -> None:
        if len(secret) < MIN_SECRET_BYTES:
            raise ConfigError(f"link secret: {len(secret)} bytes must be at least {MIN_SECRET_BYTES}")
        self._secret = secret
        self._clock = clock
        self._lifetime_s = lifetime_s
        self._path = path

    def link(self, key: str, action: str = "get", lifetime_s: int | None = None) -> str:
        """Path and query of a link to a file (``"/files/outputs/...?expires=...&signature=..."``).

        Args:
            key: the stored file.
            action: ``"get"``, or ``"put"`` for an upload; one does not work as the other.
            lifetime_s: None is the usual one.
        """
        expires, signature = self.prove(key, action, lifetime_s)
        return f"{self._path}{quote(key)}?{urlencode({'expires': expires, 'signature': signature})}"

    def path_link(self, key: str, action: str = "get", lifetime_s: int | None = None) -> str:
        """The same without a query, for clients that append to it (``"/files/<expires>/<signature>/uploads/..."``)."""
        return "/".join((self._path.rstrip("/"), *self.prove(key, action, lifetime_s), quote(key)))

    def prove(self, key: str, action: str = "get", lifetime_s: int | None = None) -> tuple[str, str]:
        """What a link carries besides the key: when it ends, and a signature; `check` takes both."""
        now_s = int(self._clock.now().timestamp())
        expires = str(self._usual_end(now_s) if lifetime_s is None else now_s + lifetime_s)
        return expires, self._sign(key, expires, action)

    def _usual_end(self, now_s: int) -> int:
        """The same for a while, so that a browser that is given a link again finds the file in its cache."""
        grain_s = max(1, self._lifetime_s // _LINKS_PER_LIFETIME)
        return -(-(now_s + self._lifetime_s) // grain_s) * grain_s

    def check(self, key: str, expires: str, signature: str, action: str = "get") -> None:
        """See that a link is ours and still works.

        Raises:
            AccessError: it is not, or it has expired.
        """
        if not self._is_ours(key, expires, signature, action):
            raise AccessError("this link is not valid")
        if int(expires) < self._clock.now().timestamp():
            raise AccessError("this link has expired")

    def secret_for(self, purpose: str) -> bytes:
        """32 bytes that only this server knows and that outlive a restart, another for each purpose."""
        return hmac.new(self._secret, f"secret for {purpose}".encode(), hashlib.sha256).digest()

    def key_of(self, url: str) -> str | None:
        """The stored file that one of our own links names; None when it is none of ours.

        Raises:
            AccessError: it is ours, but has expired.
        """
        if len(url) > MAX_LINK_CHARS:
            return None  # no key is that long, and a query of megabytes takes minutes to take apart
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        _, found, rest = parts.path.partition(self._path)
        query = parse_qs(parts.query)
        if "expires" in query and "signature" in query:
            expires, signature, name = query["expires"][0], query["signature"][0], rest
        else:
            expires, _, rest = rest.partition("/")
            signature, _, name = rest.partition("/")
        key = unquote(name)
        if not found or not self._is_ours(key, expires, signature, "get"):
            return None
        self.check(key, expires, signature)
        return key

    def _is_ours(self, key: str, expires: str, signature: str, action: str) -> bool:
        given = signature.encode("utf-8", "surrogatepass")
        return hmac.compare_digest(self._sign(key, expires, action).encode(), given)

    def _sign(self, key: str, expires: str, action: str) -> str:
        message = "\n".join((action, expires, key)).encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()
