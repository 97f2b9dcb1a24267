"""Holds what is painted until a test lets it go on, so that no test has to be faster than an engine.

A test puts a gate's words into its prompt, through whatever client; `telltale` halts at them. A file stands between the
two processes: each byte in it lets one halt pass.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ALL = 1000


@dataclass(frozen=True)
class Gate:
    """A test's side.

    Args:
        path: the file; in a folder of the test's own.
    """

    path: Path

    @property
    def words(self) -> str:
        """A prompt that is held after its first step and after each look at it."""
        return f"a cat, held by {self.path}"

    def open(self, halts: int = ALL) -> None:
        """Let so many halts pass; by default, all."""
        with self.path.open("ab") as file:
            file.write(b"." * halts)


def is_held(prompt: str, halt: int) -> Callable[[], bool]:
    """The engine's side: tells whether a prompt is still held at its `halt`-th halt, counted from 1."""
    found = re.search(r"held by ([^\s,]+)", prompt)  # an enhancer may have gone on after a comma
    if found is None:
        return lambda: False
    path = Path(found[1])
    return lambda: not path.exists() or path.stat().st_size < halt
