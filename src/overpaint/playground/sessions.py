"""Sessions of a caller: trees of tasks with names. Somebody else's session does not exist for a caller."""

from uuid import uuid4

from overpaint.core.errors import RequestError, TaskNotFoundError
from overpaint.core.session import Session, SessionNode
from overpaint.core.store_ports import SessionStore
from overpaint.core.task import Task
from overpaint.service.caller import Caller
from overpaint.service.draft import Draft, PictureFile
from overpaint.service.files import OUTPUTS

MAX_NAME_CHARS = 80


class Sessions:
    """Use cases over stored sessions.

    Args:
        store: where they are.
    """

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    async def open(self, caller: Caller, wanted: str | None, name: str) -> Session:
        """The session with that id, else the caller's last touched one, else a new one.

        Args:
            caller: whose.
            wanted: id that the browser remembers.
            name: of a new one.
        """
        own = await self._store.list_sessions(caller.key_id)
        remembered = next((session for session in own if session.id == wanted), None)
        return remembered or (own[0] if own else await self.create(caller, name))

    async def create(self, caller: Caller, name: str) -> Session:
        """A new, empty session.

        Raises:
            RequestError: the name is blank or too long.
        """
        return await self._store.create_session(uuid4().hex, caller.key_id, _checked(name))

    async def get(self, caller: Caller, session_id: str) -> Session:
        """One session of the caller.

        Raises:
            TaskNotFoundError: there is none.
        """
        session = await self._store.get_session(session_id)
        if session.key_id != caller.key_id:
            raise TaskNotFoundError("there is no such session")
        return session

    async def list_sessions(self, caller: Caller) -> list[Session]:
        """The caller's sessions, the last touched first."""
        return await self._store.list_sessions(caller.key_id)

    async def rename(self, caller: Caller, session_id: str, name: str) -> Session:
        """Give a session another name.

        Raises:
            RequestError: the name is blank or too long.
            TaskNotFoundError: there is no such session.
        """
        await self.get(caller, session_id)
        return await self._store.rename_session(session_id, _checked(name))

    async def delete(self, caller: Caller, session_id: str) -> None:
        """Forget a session; its tasks stay as long as any do.

        Raises:
            TaskNotFoundError: there is no such session.
        """
        await self.get(caller, session_id)
        await self._store.delete_session(session_id)

    async def add(self, caller: Caller, session_id: str, task: Task, draft: Draft) -> None:
        """Note that a task came of a draft; it grows from the task whose picture the draft names first.

        Raises:
            TaskNotFoundError: there is no such session.
        """
        await self.get(caller, session_id)
        await self._store.add_node(session_id, SessionNode(task.id, *_origin(draft)))

    async def nodes(self, caller: Caller, session_id: str) -> list[SessionNode]:
        """A session's nodes, oldest first.

        Raises:
            TaskNotFoundError: there is no such session.
        """
        await self.get(caller, session_id)
        return await self._store.list_nodes(session_id)


def _origin(draft: Draft) -> tuple[str | None, int]:
    """The task and the number of the picture that a draft goes on from."""
    for source in draft.pictures:
        if isinstance(source, PictureFile) and source.key.startswith(OUTPUTS):
            task_id, _, name = source.key.removeprefix(OUTPUTS).partition("/")
            index = name.partition("-")[0]
            return task_id, int(index) if index.isdecimal() else 0
    return None, 0


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= MAX_NAME_CHARS:
        raise RequestError("name", name, f"must be 1 to {MAX_NAME_CHARS} characters")
    return name
