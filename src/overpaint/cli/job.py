"""From a valid request to written files: open the engine, paint, encode, write, and say what was done."""

from dataclasses import dataclass
from pathlib import Path

import typer

from overpaint.cli.output import Target
from overpaint.cli.session import engine_session
from overpaint.core.config import ModelConfig
from overpaint.core.request import GenerationRequest
from overpaint.core.result import GenerationResult
from overpaint.images.encode import encode
from overpaint.images.metadata import recipe_of
from overpaint.painting import paint
from overpaint.version import __version__


@dataclass(frozen=True, slots=True)
class PaintJob:
    """One command's work, all of it checked.

    Args:
        request: what to paint.
        target: where the files go.
        model: the checkpoint to paint with.
        verbose: whether libraries may log.
    """

    request: GenerationRequest
    target: Target
    model: ModelConfig
    verbose: bool

    def run(self) -> None:
        """Paint, write, and print one line for each file, beside a picture that is printed itself."""
        self.target.check()
        with engine_session(self.model, verbose=self.verbose) as (engine, progress):
            result = paint(engine, self.request, progress.watch)
        paths = self.target.write(encoded(self.request, result))
        for index, path in enumerate(paths):
            typer.echo(_line(path, result, index), err=self.target.is_standard)


def encoded(request: GenerationRequest, result: GenerationResult) -> list[bytes]:
    """The files of a result, each with its recipe."""
    software = f"overpaint {__version__}"
    return [
        encode(painted.picture, request.output, recipe_of(request, result, index, software))
        for index, painted in enumerate(result.images)
    ]


def _line(path: Path, result: GenerationResult, index: int) -> str:
    canvas = result.canvas
    line = f"{path}  {canvas.delivered}  seed {result.images[index].seed}  {result.timings.total_s:.1f} s"
    if canvas.is_resized:
        line += f"  (painted at {canvas.painted}, the most {result.model} paints in this shape, and resized)"
    return line
