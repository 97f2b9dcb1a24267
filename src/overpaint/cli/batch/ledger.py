"""`results.jsonl` beside the pictures: one line for each job that came to an end, written when its files are there.

What a batch that goes on needs to know stands in it. Knows no engine.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import BinaryIO, Self, cast

from overpaint.cli.batch.jobs import BatchJob
from overpaint.cli.failure import disk_error
from overpaint.core.errors import ConfigError, OverpaintError
from overpaint.core.result import GenerationResult

NAME = "results.jsonl"


class Ledger:
    """The results of one folder, open for more; of one program at a time.

    Args:
        folder: where the pictures go; made where it is missing.

    Attributes:
        num_done: jobs that were done since it was opened.
        num_failed: those that could not be done.

    Raises:
        ConfigError: another batch writes there.
        BackendError: the file system refused.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.num_done = self.num_failed = 0
        self._folder = folder
        self._lock = Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = _claim(self.path)
            self._last = {str(entry.get("id")): entry for entry in _entries(self.path)}
        except OSError as exc:
            raise disk_error(self.path, exc) from exc

    def has_done(self, job: BatchJob) -> bool:
        """Whether this very job was done, and its files are there."""
        entry = self._last.get(job.id, {})
        is_same = entry.get("state") == "succeeded" and entry.get("digest") == job.digest
        return is_same and all(path.is_file() for path in job.target_in(self._folder).paths)

    def note_done(self, job: BatchJob, result: GenerationResult) -> None:
        """A job's files are there.

        Raises:
            BackendError: the file system refused.
        """
        self._append(
            job,
            {
                "state": "succeeded",
                "files": [path.name for path in job.target_in(self._folder).paths],
                "seeds": [image.seed for image in result.images],
                "size": str(result.canvas.delivered),
            },
        )
        with self._lock:
            self.num_done += 1

    def note_failed(self, job: BatchJob, error: OverpaintError) -> None:
        """A job cannot be done.

        Raises:
            BackendError: the file system refused.
        """
        self._append(job, {"state": "failed", "error": {"code": error.code, "message": error.message}})
        with self._lock:
            self.num_failed += 1

    def close(self) -> None:
        """Let another batch write there."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, job: BatchJob, found: Mapping[str, object]) -> None:
        line = json.dumps({"id": job.id, **found, "digest": job.digest}, ensure_ascii=False)
        try:
            with self._lock:
                self._file.write(f"{line}\n".encode())
                self._file.flush()
                os.fsync(self._file.fileno())
        except OSError as exc:
            raise disk_error(self.path, exc) from exc


def _claim(path: Path) -> BinaryIO:
    """The file, ready for another whole line: what a crash left of one ends where it is."""
    file = path.open("ab+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        file.close()
        raise ConfigError(f"output: another batch is writing to '{path.parent}'") from exc
    if file.tell():
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")
    return file


def _entries(path: Path) -> list[dict[str, object]]:
    lines = path.read_text("utf-8", errors="replace").split("\n")
    return [entry for line in lines if (entry := _entry(line))]


def _entry(line: str) -> dict[str, object]:
    """What a line says; nothing where a crash has torn it, so that its job is done again."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}
