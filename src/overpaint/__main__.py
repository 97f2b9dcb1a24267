"""The program's entry, of `overpaint` and of `python -m overpaint` alike.

Imports the command line inside, so that Ctrl-C during the first half second ends as quietly as later.
"""

import sys

_INTERRUPTED = 130


def main() -> None:
    """Run the command line of this process."""
    try:
        from overpaint.cli.app import run

        sys.exit(run(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted; nothing was written\n")
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
