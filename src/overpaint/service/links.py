"""Signed, expiring links to stored files: paths that need no key, because they cannot be guessed or changed.

Knows paths only; the border puts its own host in front. A link proves by its signature that this server made it, so own
links are recognised in requests whatever host name they carry.
"""

from overpaint.service.clock import ServiceClock

FILES_PATH = "/files/"
DAY_S = 24 * 3600


class FileLinks:
    """Makes and checks links.

    Args:
        secret: at least 16 bytes; the same after a restart, else old links die.
        clock: tells the time.
        lifetime_s: how long a link works.
        path: what the path of every link starts with.
    """

    def __init__(self, secret: bytes, clock: ServiceClock, lifetime_s: int = 7 * DAY_S, path: str = FILES_PATH) -> None:
        raise NotImplementedError

    def link(self, key: str, action: str = "get", lifetime_s: int | None = None) -> str:
        """Path and query of a link to a file (``"/files/outputs/...?expires=...&signature=..."``).

        Args:
            key: the stored file.
            action: ``"get"``, or ``"put"`` for an upload; one does not work as the other.
            lifetime_s: None is the usual one.
        """
        raise NotImplementedError

    def check(self, key: str, expires: str, signature: str, action: str = "get") -> None:
        """See that a link is ours and still works.

        Raises:
            AccessError: it is not, or it has expired.
        """
        raise NotImplementedError

    def key_of(self, url: str) -> str | None:
        """The stored file that one of our own links names; None when it is none of ours.

        Raises:
            AccessError: it is ours, but has expired.
        """
        raise NotImplementedError
