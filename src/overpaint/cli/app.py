"""The Typer application: turns every end of a command into one line and an exit code."""

from collections.abc import Sequence
from typing import Annotated

import typer

from overpaint.cli.batch.command import batch
from overpaint.cli.doctor import doctor
from overpaint.cli.edit import edit
from overpaint.cli.failure import FAILED, INTERRUPTED, OK, InterruptedWorkError, exit_code_of, tell, tell_line
from overpaint.cli.generate import generate
from overpaint.cli.keys import build_keys
from overpaint.cli.serve import serve
from overpaint.cli.usage import usage
from overpaint.core.errors import OverpaintError
from overpaint.version import __version__

HELP = "Paint pictures from words, and edit pictures by instruction, with a Qwen-Image-2.1 checkpoint on this machine."
FOOTER = "Start here: overpaint doctor says whether this machine is ready. Each command has --help with examples."


def build_app() -> typer.Typer:
    """The command tree."""
    app = typer.Typer(
        name="overpaint",
        help=HELP,
        epilog=FOOTER,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    app.command()(generate)
    app.command()(edit)
    app.command()(batch)
    app.command()(doctor)
    app.command()(serve)
    app.command()(usage)
    app.add_typer(build_keys(), name="keys")
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line.

    Returns:
        The exit code: 0, 1 (it failed while it ran), 2 (the command must change) or 130 (interrupted).
    """
    try:
        value = build_app()(list(arguments), prog_name="overpaint", standalone_mode=False)
    except OverpaintError as exc:
        tell(exc)
        return exit_code_of(exc)
    except typer.TyperException as exc:
        tell_line(exc.format_message())
        return exc.exit_code
    except InterruptedWorkError as exc:
        tell_line(str(exc))
        return INTERRUPTED
    except BrokenPipeError:
        return FAILED
    except Exception as exc:  # noqa: BLE001 - the last resort: a bug of ours, told in one line like everything else
        tell(exc)
        return FAILED
    if value == INTERRUPTED:
        tell_line("interrupted; nothing was written")
    return value if isinstance(value, int) else OK


def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        typer.echo(f"overpaint {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
