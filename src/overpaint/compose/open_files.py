"""How many connections and files a server may have open at once. Knows of none of them."""

import resource
from contextlib import suppress

MOST = 65_536


def allow_many() -> None:
    """Take as many as the system gives a process that asks; idle connections alone use up the usual 1024.

    With none left, whoever comes next is turned away without a word, and neither files nor the database can be opened.
    """
    now, ceiling = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if ceiling == resource.RLIM_INFINITY else min(MOST, ceiling)
    if now != resource.RLIM_INFINITY and now < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, ceiling))
