"""`SessionStore` over SQLAlchemy."""

from sqlalchemy import Connection, Exists, RowMapping, delete, exists, insert, select, update

from overpaint.core.errors import TaskNotFoundError
from overpaint.core.session import Session, SessionNode
from overpaint.store.access import StoreAccess
from overpaint.store.schema import session_nodes, sessions, tasks


class SqlSessionStore(StoreAccess):
    """Sessions in a database."""

    async def create_session(self, session_id: str, key_id: str, name: str) -> Session:
        """Store an empty session."""
        now = self._now()
        session = Session(session_id, key_id, name, now, now)
        row = insert(sessions).values(id=session_id, key_id=key_id, name=name, created_at=now, touched_at=now)

        def work(connection: Connection) -> Session:
            connection.execute(row)
            return session

        return await self._database.write(work)

    async def get_session(self, session_id: str) -> Session:
        """One session; see `SessionStore.get_session`."""
        rows = await self._database.read(select(sessions).where(sessions.c.id == session_id))
        return _known(rows[0] if rows else None)

    async def list_sessions(self, key_id: str, *, limit: int = 100) -> list[Session]:
        """A key's sessions, the last touched first."""
        query = (
            select(sessions)
            .where(sessions.c.key_id == key_id)
            .order_by(sessions.c.touched_at.desc(), sessions.c.id.desc())
            .limit(limit)
        )
        return [_session_of(row) for row in await self._database.read(query)]

    async def rename_session(self, session_id: str, name: str) -> Session:
        """Give it another name; see `SessionStore.rename_session`."""
        change = (
            update(sessions)
            .where(sessions.c.id == session_id)
            .values(name=name, touched_at=self._now())
            .returning(sessions)
        )

        def work(connection: Connection) -> Session:
            return _known(connection.execute(change).mappings().first())

        return await self._database.write(work)

    async def delete_session(self, session_id: str) -> None:
        """Forget a session; its nodes go with it."""

        def work(connection: Connection) -> None:
            connection.execute(delete(sessions).where(sessions.c.id == session_id))

        await self._database.write(work)

    async def add_node(self, session_id: str, node: SessionNode) -> None:
        """Add a task to a session; see `SessionStore.add_node`."""
        now = self._now()
        touch = update(sessions).where(sessions.c.id == session_id).values(touched_at=now).returning(sessions.c.id)
        row = {"task_id": node.task_id, "session_id": session_id, "parent_index": node.parent_index, "added_at": now}

        def work(connection: Connection) -> None:
            if connection.execute(touch).first() is None:
                raise TaskNotFoundError("there is no such session")
            if not _is_there(connection, exists().where(tasks.c.id == node.task_id)):
                raise TaskNotFoundError(f"there is no task {node.task_id[:64]}")
            has_parent = _is_there(connection, exists().where(session_nodes.c.task_id == node.parent_id))
            parent_id = node.parent_id if has_parent else None
            connection.execute(self._database.insert_missing(session_nodes), [{**row, "parent_id": parent_id}])

        await self._database.write(work)

    async def list_nodes(self, session_id: str) -> list[SessionNode]:
        """A session's nodes in the order they were added."""
        query = (
            select(session_nodes)
            .where(session_nodes.c.session_id == session_id)
            .order_by(session_nodes.c.added_at, session_nodes.c.task_id)
        )
        rows = await self._database.read(query)
        return [SessionNode(row["task_id"], row["parent_id"], row["parent_index"]) for row in rows]


def _is_there(connection: Connection, condition: Exists) -> bool:
    return bool(connection.execute(select(condition)).scalar())


def _session_of(row: RowMapping) -> Session:
    return Session(row["id"], row["key_id"], row["name"], row["created_at"], row["touched_at"])


def _known(row: RowMapping | None) -> Session:
    if row is None:
        raise TaskNotFoundError("there is no such session")
    return _session_of(row)
