"""`overpaint batch`: reads the jobs, leaves out what is done, does the others, and says how it went."""

from functools import cache
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from overpaint.cli import options
from overpaint.cli.batch.jobs import BatchJob, JobReader, ReadLora
from overpaint.cli.batch.ledger import Ledger
from overpaint.cli.batch.reading import read_jobs
from overpaint.cli.batch.run import BatchRun
from overpaint.cli.failure import FAILED, InterruptedWorkError, tell_line
from overpaint.cli.loras import read_lora
from overpaint.cli.options import pick
from overpaint.cli.output import STANDARD
from overpaint.cli.progress import LiveProgress
from overpaint.cli.session import engine_session
from overpaint.core.config import EngineConfig, ModelConfig
from overpaint.core.errors import OverpaintError, RequestError
from overpaint.core.request import OUTPUT_FORMATS, AdapterFile, OutputSpec
from overpaint.settings import read_model_config, read_settings

MOST_AT_ONCE = 64

Jobs = Annotated[
    Path,
    typer.Argument(help="File of jobs, one JSON object a line; - is standard input.", show_default=False),
]
Folder = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        help="Folder for the pictures and results.jsonl; made where it is missing.",
        rich_help_panel=options.WRITE,
        show_default=False,
    ),
]
Format = Annotated[
    str,
    typer.Option(
        "--format",
        help=f"{', '.join(OUTPUT_FORMATS)}, for jobs that do not say.",
        rich_help_panel=options.WRITE,
    ),
]
AtOnce = Annotated[
    int,
    typer.Option(
        "--at-once",
        parser=options.whole_number,
        metavar="<int>",
        help=f"Jobs under way at once, 1 to {MOST_AT_ONCE}. They share the engine's steps, and the pictures they have "
        "in common; more take more memory.",
    ),
]


def batch(
    jobs: Jobs,
    output: Folder,
    output_format: Format = "png",
    quality: options.Quality = 95,
    at_once: AtOnce = 16,
    model: options.Model = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    memory: options.Memory = None,
    weights: options.Weights = None,
    transformer: options.Transformer = None,
    verbose: options.Verbose = False,
) -> None:
    """Do a file of jobs, many at once; run it again to go on with what is not done yet.

    A job is a JSON object with a prompt and, as needed, id, images, mask, size, seed, steps, negative_prompt,
    true_cfg_scale, num_images, loras, background, format and quality. Paths are looked for beside the file.

    Examples:
      overpaint batch jobs.jsonl -o out

      overpaint batch jobs.jsonl -o out --format webp --quality 90 --model Qwen/Qwen-Image-2.1

      echo '{"id": "cat", "prompt": "a cat on a beach"}' | overpaint batch - -o out
    """
    model_config = read_model_config(options.of_model(model, device, dtype, memory, weights, transformer))
    if not 1 <= at_once <= MOST_AT_ONCE:
        raise RequestError("at_once", at_once, f"must be 1 to {MOST_AT_ONCE}")
    spec = OutputSpec(pick("format", output_format, OUTPUT_FORMATS), quality)
    folder = Path() if jobs == STANDARD else jobs.parent
    wanted = read_jobs(jobs, JobReader(folder, spec, _lora_reader()), output)
    with Ledger(output) as ledger:
        left = [job for job in wanted if not ledger.has_done(job)]
        if left:
            _do(left, ledger, output, at_once, model_config, verbose=verbose)
    earlier = len(wanted) - len(left)
    typer.echo(
        f"{output}  {ledger.num_done} done{f', {earlier} before' if earlier else ''}, {ledger.num_failed} failed"
    )
    if ledger.num_failed:
        raise typer.Exit(FAILED)


def _lora_reader() -> ReadLora:
    """Reads each adapter's file once, however many jobs name it."""
    folder = read_settings().adapters

    @cache
    def read(source: str, scale: float) -> AdapterFile:
        return read_lora(source, scale, folder)

    return read


def _do(jobs: list[BatchJob], ledger: Ledger, folder: Path, at_once: int, model: ModelConfig, *, verbose: bool) -> None:
    try:
        with engine_session(model, EngineConfig(max_running=at_once), verbose=verbose) as (engine, progress):
            BatchRun(engine, ledger, folder, at_once, _Teller(progress, ledger, len(jobs)).tell).run(jobs)
    except KeyboardInterrupt:
        raise InterruptedWorkError(
            f"interrupted; {ledger.num_done} of {len(jobs)} jobs are done, and the same command goes on with the others"
        ) from None


class _Teller:
    """Says how far a batch is, and of each job that failed why."""

    def __init__(self, progress: LiveProgress, ledger: Ledger, total: int) -> None:
        self._progress = progress
        self._ledger = ledger
        self._total = total
        self._start = monotonic()
        progress.count(0, total, f"0 of {total}")

    def tell(self, job: BatchJob, error: OverpaintError | None) -> None:
        if error is not None:
            tell_line(f"{job.id}: {error.message}")
        ended = self._ledger.num_done + self._ledger.num_failed
        minutes = (monotonic() - self._start) / ended * (self._total - ended) / 60
        failed = f", {self._ledger.num_failed} failed" if self._ledger.num_failed else ""
        left = f", about {minutes:.0f} min left" if minutes >= 1 else ""
        self._progress.count(ended, self._total, f"{ended} of {self._total}{failed}{left}")
