"""Imported by every Python process of a sealed server, also by the engine's: who reaches out of the machine is refused.

It is also noted in the file that `SEALED_NOTES` names. Looking up a name is reaching out.
"""

import os
import socket
import sys
from pathlib import Path

_INSIDE = ("", "::1", "localhost", "0.0.0.0", "::")


def _is_inside(address: object) -> bool:
    if not isinstance(address, tuple) or not address:
        return True  # a Unix socket, or whatever else has no host
    host = str(address[0] or "")
    return host in _INSIDE or host.startswith("127.")


def _watch(event: str, args: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        address = (args[0],)
    else:
        return
    if not _is_inside(address):
        with Path(os.environ["SEALED_NOTES"]).open("a") as notes:
            notes.write(f"{event} {address}\n")
        raise OSError(f"sealed: {event} {address}")


assert socket  # its events are what is watched
sys.addaudithook(_watch)
