"""Where results go: names, checks before the work, and writing that leaves all files or none; or standard output.

Knows nothing of pictures; it is handed bytes.
"""

import contextlib
import errno
import os
import stat
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from overpaint.cli.failure import disk_error
from overpaint.cli.options import pick
from overpaint.core.errors import RequestError
from overpaint.core.request import OUTPUT_FORMATS, OutputFormat
from overpaint.images.encode import SUFFIXES

STANDARD = Path("-")
"""Standard input or output, as everywhere on a command line."""
_PROBE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """The file or files of one command.

    Args:
        path: as given; with several pictures its stem gets a number. `STANDARD` is no file but standard output.
        num_images: files to write.
    """

    path: Path
    num_images: int

    @property
    def paths(self) -> list[Path]:
        """The files, in order: `out.png`, or `out-1.png`, `out-2.png` and so on."""
        if self.num_images == 1:
            return [self.path]
        return [self.path.with_stem(f"{self.path.stem}-{index + 1}") for index in range(self.num_images)]

    @property
    def is_standard(self) -> bool:
        """Whether the picture goes to standard output, so that what is said of it may not."""
        return self.path == STANDARD

    def check(self) -> None:
        """See that the files can be written, before minutes are spent on painting them.

        Raises:
            RequestError: a path cannot be an output file.
            BackendError: the file system has no room.
        """
        if self.is_standard:
            return self._check_standard()
        try:
            self._look()
        except PermissionError as exc:
            rule = f"must be in a folder you may write to; '{self.path.parent}'"
            raise RequestError("output", str(self.path), rule) from exc
        except OSError as exc:
            if exc.errno == errno.ENAMETOOLONG:
                raise RequestError("output", str(self.path), "must have a shorter name") from exc
            raise disk_error(self.path, exc) from exc
        return None

    def _check_standard(self) -> None:
        if self.num_images > 1:
            raise RequestError("num_images", self.num_images, "must be 1 where the picture goes to standard output")
        if sys.stdout.isatty():
            raise RequestError("output", str(self.path), "must not be a terminal; send the picture on, or name a file")

    def _look(self) -> None:
        folder = self.path.parent
        if not folder.is_dir():
            raise RequestError("output", str(self.path), f"must be in a folder that exists; '{folder}' does not")
        for path in self.paths:
            if _is_no_file(path):
                raise RequestError("output", str(path), "must be a file; something else has that name")
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBE_BYTES))

    def write(self, contents: Sequence[bytes]) -> list[Path]:
        """Write all files, or none: each goes to a temporary neighbour first, and gets its name when all are there.

        Raises:
            BackendError: the file system refused.
        """
        if self.is_standard:
            _print(contents[0])
            return self.paths
        pairs: list[tuple[Path, Path]] = []
        try:
            for path, content in zip(self.paths, contents, strict=True):
                pairs.append((_reserve(path), path))
                pairs[-1][0].write_bytes(content)
            for temporary, path in pairs:
                temporary.replace(path)
        except OSError as exc:
            raise disk_error(self.path, exc) from exc
        finally:
            for temporary, _ in pairs:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
        return self.paths


def format_of(path: Path, asked: str | None) -> OutputFormat:
    """The format to write: as asked, else as the name ends.

    Raises:
        RequestError: the format is unknown, or the name says another.
    """
    named = SUFFIXES.get(path.suffix.lower())
    if asked is None:
        if path.name.lower() in SUFFIXES:
            raise RequestError("output", str(path), "must have a name before its ending")
        if named is None:
            raise RequestError(
                "output", str(path), f"must end in {', '.join(SUFFIXES)}, or --format must say what to write"
            )
        return named
    if named not in (None, asked) and asked in OUTPUT_FORMATS:
        raise RequestError("format", asked, f"must agree with the name of the output, '{path.name}'")
    return pick("format", asked, OUTPUT_FORMATS)


def _print(content: bytes) -> None:
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise disk_error(STANDARD, exc) from exc


def _is_no_file(path: Path) -> bool:
    """Whether something other than a file has that name; an error of the file system is passed on."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False


def _reserve(path: Path) -> Path:
    """An empty file beside `path`, with the permissions a new file would get; `mkstemp` alone gives 0600.

    Its name is short: one made from a long name would be too long.
    """
    handle, name = tempfile.mkstemp(prefix=".overpaint-", suffix=".part", dir=path.parent)
    mask = os.umask(0)
    os.umask(mask)
    os.fchmod(handle, 0o666 & ~mask)
    os.close(handle)
    return Path(name)
