"""An open page and what it shows: a session, a run in focus, and everything that is under way, as a stream of frames.

A frame is made when something happened, at most every `FRAME_S`. All state that matters is in the stores; a desk can be
lost at any time, and the next one shows the same.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from overpaint.core.errors import OverpaintError, TaskNotFoundError
from overpaint.core.session import Session, SessionNode
from overpaint.core.task import Task, TaskState
from overpaint.playground.live import Live
from overpaint.playground.request_form import DIALECT
from overpaint.playground.sessions import Sessions
from overpaint.playground.views import Views
from overpaint.service.caller import Caller
from overpaint.service.service import Service
from overpaint.service.tasks import TaskQuery

FRAME_S = 0.15
LOOK_AGAIN_S = 5.0
_log = logging.getLogger(__name__)
OPEN = (TaskState.QUEUED, TaskState.RUNNING)


@dataclass(frozen=True, slots=True)
class Frame:
    """What the page shows now: values of its parts, and whether anything can be asked for."""

    canvas: dict[str, Any]
    tray: dict[str, Any]
    history: dict[str, Any]
    engine: dict[str, Any]

    @property
    def parts(self) -> dict[str, dict[str, Any]]:
        """The values by the parts' names."""
        return {"canvas": self.canvas, "tray": self.tray, "history": self.history, "engine": self.engine}


@dataclass(slots=True)
class Desk:
    """One open page.

    Args:
        caller: who looks.
        session_id: what they work in.
        first_name: what a session is called that is opened because there is none.
        focus: task on the canvas; None shows the examples.
        index: which of its pictures.
    """

    caller: Caller
    session_id: str
    first_name: str
    focus: str | None = None
    index: int = 0
    _stream: object = None
    _is_stale: bool = True
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _known: dict[str, Task] = field(default_factory=dict[str, Task])
    _live: dict[str, Live] = field(default_factory=dict[str, Live])
    _watchers: dict[str, asyncio.Task[None]] = field(default_factory=dict[str, asyncio.Task[None]])
    _nodes: list[SessionNode] = field(default_factory=list[SessionNode])
    _open: list[Task] = field(default_factory=list[Task])
    _sessions: list[Session] = field(default_factory=list[Session])

    def show(self, task_id: str | None, index: int = 0) -> None:
        """Put a task on the canvas."""
        self.focus, self.index = task_id, index
        self.stir()

    def switch(self, session_id: str) -> None:
        """Work in another session, at its newest task."""
        self.session_id, self.focus, self.index = session_id, None, 0
        self._nodes = []
        self.stir()

    async def settle(self, sessions: Sessions) -> None:
        """Switch to another session, or a new one, when this one was forgotten: other pages of the key may do that."""
        try:
            await sessions.get(self.caller, self.session_id)
        except TaskNotFoundError:
            self.switch((await sessions.open(self.caller, None, self.first_name)).id)

    def stir(self) -> None:
        """Look at the stores again, and make a frame."""
        self._is_stale = True
        self._news.set()

    @property
    def is_heard(self) -> bool:
        """Whether somebody takes its frames."""
        return self._stream is not None

    def end(self) -> None:
        """Make no more frames."""
        self._stream = None
        self._news.set()

    async def frames(self, service: Service, sessions: Sessions, views: Views) -> AsyncIterator[Frame]:
        """Frames as things happen, until they are asked for anew: the page did not hear these any more."""
        mine = self._stream = object()
        self.stir()
        try:
            while self._stream is mine:
                self._news.clear()
                if self._is_stale:
                    await self._look(service, sessions)
                yield self._frame(views, service)
                await asyncio.sleep(FRAME_S)
                await self._wait()
        finally:
            _log.debug("a page of key %s was closed", self.caller.key_id)
            if self._stream in (mine, None):
                self.end()
                for watcher in self._watchers.values():
                    watcher.cancel()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_AGAIN_S):
                await self._news.wait()
        except TimeoutError:
            self._is_stale = True  # another page of the same key may have done something

    async def _look(self, service: Service, sessions: Sessions) -> None:
        """Read the stores, and watch what is under way."""
        await self.settle(sessions)
        self._is_stale = False
        query = TaskQuery(states=OPEN, key_id=self.caller.key_id, limit=100)
        page = await service.tasks.list_tasks(self.caller, query)
        self._open = [task for task in reversed(page.tasks) if task.dialect == DIALECT]
        self._known |= {task.id: task for task in self._open}
        self._sessions = await sessions.list_sessions(self.caller)
        self._nodes = await sessions.nodes(self.caller, self.session_id)
        if self.focus is None and self._nodes:
            self.focus = self._nodes[-1].task_id
        for task_id in [node.task_id for node in self._nodes] + ([self.focus] if self.focus else []):
            await self._read(service, task_id)
        for task in self._open:
            self._follow(service, task.id)

    async def _read(self, service: Service, task_id: str) -> None:
        """Have a task in memory; a final one stays as it is."""
        known = self._known.get(task_id)
        if known is not None and known.state.is_final:
            return
        try:
            self._known[task_id] = await service.tasks.get(self.caller, task_id)
        except TaskNotFoundError:
            self._known.pop(task_id, None)

    def _follow(self, service: Service, task_id: str) -> None:
        if task_id not in self._watchers:
            self._live[task_id] = Live()
            self._watchers[task_id] = asyncio.create_task(self._watch(service, task_id))

    async def _watch(self, service: Service, task_id: str) -> None:
        """Follow a task to its end."""
        live = self._live[task_id]
        try:
            async for event in service.tasks.events(self.caller, task_id):
                live.hear(event.what)
                if live.ended is not None:
                    self._known[task_id] = live.ended
                    self._is_stale = True
                self._news.set()
        except OverpaintError:
            self.stir()
        finally:
            self._watchers.pop(task_id, None)
            self._live.pop(task_id, None)

    def _frame(self, views: Views, service: Service) -> Frame:
        focused = self._known.get(self.focus or "")
        nodes = [(self._known.get(node.task_id), node.parent_id) for node in self._nodes]
        return Frame(
            canvas={"run": views.run(focused, self._live.get(focused.id)) if focused else None, "index": self.index},
            tray={"runs": [views.card(task, self._live.get(task.id)) for task in self._open], "focus": self.focus},
            history={
                "nodes": [views.node(task, parent_id) for task, parent_id in nodes if task],
                "focus": self.focus,
                "index": self.index,
                "session": self.session_id,
                "sessions": [{"id": session.id, "name": session.name} for session in self._sessions],
            },
            engine=views.engine(service),
        )


class Desks:
    """The open pages of this process, by the id that Gradio gives each page."""

    def __init__(self) -> None:
        self._desks: dict[str, Desk] = {}

    def __getitem__(self, page_id: str) -> Desk:
        return self._desks[page_id]

    def find(self, page_id: str | None) -> Desk | None:
        """The desk of a page that is open."""
        return self._desks.get(page_id or "")

    def open(self, page_id: str, desk: Desk) -> None:
        """Remember a page."""
        self._desks[page_id] = desk

    def end(self, page_id: str) -> None:
        """Make no more frames for a page."""
        if desk := self.find(page_id):
            desk.end()

    def close_unheard(self, page_id: str) -> None:
        """Forget a page that takes no frames."""
        if (desk := self.find(page_id)) and not desk.is_heard:
            del self._desks[page_id]

    def ring(self, caller: Caller) -> None:
        """Have all pages of a key look again."""
        for desk in self._desks.values():
            if desk.caller.key_id == caller.key_id:
                desk.stir()
