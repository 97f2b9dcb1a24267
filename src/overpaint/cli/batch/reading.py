"""From a file of jobs to all of its jobs, or to all that is wrong with it. Knows no engine."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from overpaint.cli.batch.jobs import BatchJob, JobReader
from overpaint.cli.failure import tell_line
from overpaint.cli.output import STANDARD
from overpaint.core.errors import ConfigError, RequestError

_TOLD = 10


def read_jobs(path: Path, reader: JobReader, target: Path) -> list[BatchJob]:
    """Every job of a file.

    Args:
        path: the file; `STANDARD` is standard input.
        reader: of lines.
        target: folder that the results go to.

    Raises:
        RequestError: the file cannot be read, holds no job, or lines break rules, each of which was told.
    """
    jobs, wrong = _read_all(path, reader)
    wrong += list(_clashes(jobs, target))
    for complaint in wrong[:_TOLD]:
        tell_line(f"{path}, {complaint}")
    if wrong:
        count = "a line" if len(wrong) == 1 else f"{len(wrong)} lines"
        raise RequestError("jobs", str(path), f"has {count} that cannot be done; nothing was painted")
    if not jobs:
        raise RequestError("jobs", str(path), "holds no job")
    return [job for _, job in jobs]


def _read_all(path: Path, reader: JobReader) -> tuple[list[tuple[int, BatchJob]], list[str]]:
    jobs: list[tuple[int, BatchJob]] = []
    wrong: list[str] = []
    with _opened(path) as lines:
        for number, text in _numbered(lines):
            try:
                jobs.append((number, reader.read(number, text)))
            except (RequestError, ConfigError) as error:
                wrong.append(f"line {number}: {error.message}")
    return jobs, wrong


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    if path == STANDARD:
        yield sys.stdin
        return
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield file
    except OSError as exc:
        raise RequestError("jobs", str(path), f"cannot be read ({exc.strerror or exc})") from exc
    except UnicodeDecodeError as exc:
        raise RequestError("jobs", str(path), "must be UTF-8") from exc


def _numbered(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Lines that say something, with their numbers from 1."""
    return ((number, text.strip()) for number, text in enumerate(lines, 1) if text.strip())


def _clashes(jobs: Sequence[tuple[int, BatchJob]], target: Path) -> Iterator[str]:
    """Jobs that would overwrite one another's files, on file systems without capitals too, or anybody's pictures."""
    sources = {path.resolve() for _, job in jobs for path in (*job.images, job.mask) if path}
    taken: dict[str, int] = {}
    for number, job in jobs:
        for path in job.target_in(target).paths:
            if (first := taken.setdefault(path.name.casefold(), number)) != number:
                yield f"line {number}: id: '{job.id}' would overwrite '{path.name}' of line {first}"
            if path.resolve() in sources:
                yield f"line {number}: id: '{job.id}' would overwrite '{path}', which a job reads"
