"""`python -m overpaint` is the `overpaint` command."""

from overpaint.cli.app import main

if __name__ == "__main__":
    main()
