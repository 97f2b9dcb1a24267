"""The live line on stderr: what is being done, how far it is, how long it took so far.

Silent where stderr is no terminal.
"""

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
    """A progress bar to hand to `painting.paint` as its watcher."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[counter]}"),
            TimeElapsedColumn(),
        )
        self._bar = Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
        self._row: TaskID = self._bar.add_task("waiting", total=None, counter="")

    def print(self, text: str) -> None:
        """Write a line that stays, where a person is watching."""
        if self._console.is_terminal:
            self._console.print(text, highlight=False)

    def start(self, text: str) -> None:
        """Be on the screen from here on, with `text` while nothing can be counted."""
        self._bar.start()
        self._bar.update(self._row, description=text)

    def stop(self) -> None:
        """Leave the screen; can be called twice."""
        self._bar.stop()

    def count(self, done: int, total: int, said: str) -> None:
        """Show how many pieces of work are done, and words about it."""
        self._bar.update(self._row, description="painting", completed=done, total=total, counter=said)

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
