"""The live line on stderr: what is being done, how far it is, how long it took so far.

Silent where stderr is no terminal.
"""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from overpaint.core.events import Event
from overpaint.core.events import Progress as Moved

_STAGES = {
    "queued": "waiting",
    "condition": "reading prompt and pictures",
    "denoise": "painting",
    "decode": "finishing",
}


class LiveProgress:
    """A progress bar to hand to `painting.paint` as its watcher; use as a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[counter]}"),
            TimeElapsedColumn(),
        )
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._row: TaskID = self._bar.add_task("waiting", total=None, counter="")

    def say(self, text: str) -> None:
        """Show `text` while nothing can be counted."""
        self._bar.update(self._row, description=text)

    def watch(self, event: Event) -> None:
        """Show how far the task is."""
        if isinstance(event, Moved):
            self._bar.update(
                self._row,
                description=_STAGES[event.stage],
                completed=event.step,
                total=event.num_steps or None,
                counter=f"step {event.step} of {event.num_steps}",
            )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
