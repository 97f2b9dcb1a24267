"""The program's entry, of `overpaint` and of `python -m overpaint` alike.

Imports the command line inside, so that Ctrl-C during the first half second ends as quietly as later.
"""

import os
import sys

_INTERRUPTED = 130
_STREAMS = ("stdin", "stdout", "stderr")


def main() -> None:
    """Run the command line of this process."""
    _open_what_is_closed()
    try:
        from overpaint.cli.app import run

        sys.exit(run(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted; nothing was written\n")
        sys.exit(_INTERRUPTED)


def _open_what_is_closed() -> None:
    """Lead the standard streams that were closed by whoever started this (``<&-``, some supervisors) to nowhere.

    What is opened next would take their places, and be written into or closed as if it were them.
    """
    for name in _STREAMS:
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(handle, True)  # the engine's process has them, too
            setattr(sys, name, open(handle, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: PTH123, SIM115


if __name__ == "__main__":
    main()
