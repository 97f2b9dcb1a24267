"""`SessionStore` in memory."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from overpaint.core.errors import TaskNotFoundError
from overpaint.core.session import Session, SessionNode
from overpaint.store.memory.tables import Tables


class MemorySessionStore:
    """Sessions in memory.

    Args:
        tables: shared with the other stores; a node is there as long as its task is.
        now: tells the time of day, UTC.
    """

    def __init__(self, tables: Tables, now: Callable[[], datetime]) -> None:
        self._tables = tables
        self._now = now
        self._sessions: dict[str, Session] = {}
        self._nodes: dict[str, dict[str, SessionNode]] = {}

    async def create_session(self, session_id: str, key_id: str, name: str) -> Session:
        """Store an empty session."""
        now = self._now()
        self._nodes[session_id] = {}
        return self._store(Session(session_id, key_id, name, now, now))

    async def get_session(self, session_id: str) -> Session:
        """One session; see `SessionStore.get_session`."""
        if session_id not in self._sessions:
            raise TaskNotFoundError("there is no such session")
        return self._sessions[session_id]

    async def list_sessions(self, key_id: str, *, limit: int = 100) -> list[Session]:
        """A key's sessions, the last touched first."""
        own = (session for session in self._sessions.values() if session.key_id == key_id)
        return sorted(own, key=lambda session: (session.touched_at, session.id), reverse=True)[:limit]

    async def rename_session(self, session_id: str, name: str) -> Session:
        """Give it another name; see `SessionStore.rename_session`."""
        session = await self.get_session(session_id)
        return self._store(replace(session, name=name, touched_at=self._now()))

    async def delete_session(self, session_id: str) -> None:
        """Forget a session and its nodes."""
        self._sessions.pop(session_id, None)
        self._nodes.pop(session_id, None)

    async def add_node(self, session_id: str, node: SessionNode) -> None:
        """Add a task to a session; see `SessionStore.add_node`."""
        session = await self.get_session(session_id)
        if node.task_id not in self._tables.tasks:
            raise TaskNotFoundError(f"there is no task {node.task_id[:64]}")
        self._store(replace(session, touched_at=self._now()))
        if not self._is_node(node.task_id):
            self._nodes[session_id][node.task_id] = self._without_lost_parent(node)

    async def list_nodes(self, session_id: str) -> list[SessionNode]:
        """A session's nodes in the order they were added."""
        nodes = self._nodes.get(session_id, {}).values()
        return [self._without_lost_parent(node) for node in nodes if node.task_id in self._tables.tasks]

    def _is_node(self, task_id: str | None) -> bool:
        return task_id in self._tables.tasks and any(task_id in nodes for nodes in self._nodes.values())

    def _without_lost_parent(self, node: SessionNode) -> SessionNode:
        return node if self._is_node(node.parent_id) else replace(node, parent_id=None)

    def _store(self, session: Session) -> Session:
        self._sessions[session.id] = session
        return session
