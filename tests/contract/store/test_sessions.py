"""`SessionStore`."""

import pytest

from overpaint.core.errors import TaskNotFoundError
from overpaint.core.session import SessionNode
from tests.contract.store.making import StoreSet, TaskMaker

pytestmark = pytest.mark.anyio


async def grown(stores: StoreSet, new_task: TaskMaker, session_id: str, parent_id: str | None = None) -> str:
    task, _ = await stores.tasks.create(new_task())
    await stores.sessions.add_node(session_id, SessionNode(task.id, parent_id, 1 if parent_id else 0))
    return task.id


async def test_a_keys_sessions_are_its_own_the_last_touched_first(stores: StoreSet, new_task: TaskMaker) -> None:
    first = await stores.sessions.create_session("a" * 32, "key-a", "shoes")
    second = await stores.sessions.create_session("b" * 32, "key-a", "hats")
    await stores.sessions.create_session("c" * 32, "key-b", "gloves")
    assert await stores.sessions.list_sessions("key-a") == [second, first]
    await grown(stores, new_task, first.id)
    assert [session.name for session in await stores.sessions.list_sessions("key-a")] == ["shoes", "hats"]
    renamed = await stores.sessions.rename_session(second.id, "caps")
    assert [session.name for session in await stores.sessions.list_sessions("key-a", limit=1)] == ["caps"]
    assert await stores.sessions.get_session(second.id) == renamed


async def test_nodes_are_a_tree_in_the_order_they_were_added(stores: StoreSet, new_task: TaskMaker) -> None:
    session = await stores.sessions.create_session("a" * 32, "key-a", "shoes")
    root = await grown(stores, new_task, session.id)
    left = await grown(stores, new_task, session.id, root)
    right = await grown(stores, new_task, session.id, root)
    nodes = [SessionNode(root), SessionNode(left, root, 1), SessionNode(right, root, 1)]
    assert await stores.sessions.list_nodes(session.id) == nodes
    await stores.sessions.add_node(session.id, SessionNode(root, left))
    assert await stores.sessions.list_nodes(session.id) == nodes


async def test_a_node_goes_with_its_task_and_its_children_begin_anew(stores: StoreSet, new_task: TaskMaker) -> None:
    session = await stores.sessions.create_session("a" * 32, "key-a", "shoes")
    root = await grown(stores, new_task, session.id)
    child = await grown(stores, new_task, session.id, root)
    await stores.tasks.cancel(root)
    await stores.tasks.delete(root)
    assert [(node.task_id, node.parent_id) for node in await stores.sessions.list_nodes(session.id)] == [(child, None)]
    orphan = await grown(stores, new_task, session.id, root)
    assert (await stores.sessions.list_nodes(session.id))[-1] == SessionNode(orphan, None, 1)


async def test_a_session_goes_without_its_tasks(stores: StoreSet, new_task: TaskMaker) -> None:
    session = await stores.sessions.create_session("a" * 32, "key-a", "shoes")
    task_id = await grown(stores, new_task, session.id)
    await stores.sessions.delete_session(session.id)
    await stores.sessions.delete_session(session.id)
    assert await stores.sessions.list_nodes(session.id) == []
    assert (await stores.tasks.get(task_id)).id == task_id
    with pytest.raises(TaskNotFoundError):
        await stores.sessions.get_session(session.id)


async def test_what_is_not_there_is_told(stores: StoreSet, new_task: TaskMaker) -> None:
    session = await stores.sessions.create_session("a" * 32, "key-a", "shoes")
    task, _ = await stores.tasks.create(new_task())
    with pytest.raises(TaskNotFoundError, match="session"):
        await stores.sessions.add_node("f" * 32, SessionNode(task.id))
    with pytest.raises(TaskNotFoundError, match="task"):
        await stores.sessions.add_node(session.id, SessionNode("f" * 32))
    with pytest.raises(TaskNotFoundError):
        await stores.sessions.rename_session("f" * 32, "x")
