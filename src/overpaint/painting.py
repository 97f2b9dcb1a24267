"""One request, start to end, over any engine: submit, watch, and stop it when the watcher is interrupted.

What the command line and the Python class share. Knows no terminal, no files and no concrete engine.
"""

import uuid
from collections.abc import Callable
from contextlib import suppress

from overpaint.core.errors import BackendError, OverpaintError
from overpaint.core.events import Event, Failed, Finished
from overpaint.core.ports import EngineClient
from overpaint.core.request import GenerationRequest
from overpaint.core.result import GenerationResult

Watcher = Callable[[Event], None]


def paint(engine: EngineClient, request: GenerationRequest, watch: Watcher | None = None) -> GenerationResult:
    """Paint `request` and wait for it.

    Args:
        engine: an open engine.
        request: what to paint.
        watch: told every event, on this thread. What it raises, Ctrl-C included, cancels the task.

    Raises:
        OverpaintError: the engine refused the request, or failed.
    """
    task_id = uuid.uuid4().hex
    engine.submit(task_id, request)
    try:
        return _follow(engine, task_id, watch)
    except BaseException:
        engine.cancel(task_id)
        _forget(engine, task_id)
        raise


def _follow(engine: EngineClient, task_id: str, watch: Watcher | None) -> GenerationResult:
    for event in engine.events(task_id):
        if watch:
            watch(event)
        if isinstance(event, Finished):
            return event.result
        if isinstance(event, Failed):
            raise event.error
    raise BackendError("the engine ended the task without a result")


def _forget(engine: EngineClient, task_id: str) -> None:
    """Hear a cancelled task to its end: an engine keeps one, with its pictures, until somebody has."""
    with suppress(OverpaintError):  # it had ended already
        for _ in engine.events(task_id):
            pass
