"""Numbered pages over a list of tasks that knows cursors. Knows no dialect."""

from dataclasses import replace

from overpaint.core.task import Task
from overpaint.service.caller import Caller
from overpaint.service.service import Service
from overpaint.service.tasks import MAX_PAGE, TaskQuery

MAX_COUNTED = 10_000
"""Tasks that are counted one by one, where the store cannot count them; there are said to be no more."""


async def numbered_page(
    service: Service, caller: Caller, query: TaskQuery, number: int
) -> tuple[tuple[Task, ...], int]:
    """The tasks of page `number` (from 1), and how many there are in all.

    Raises:
        RequestError: the query cannot be used.
    """
    return await _page(service, caller, query, number), await _count(service, caller, query)


async def _page(service: Service, caller: Caller, query: TaskQuery, number: int) -> tuple[Task, ...]:
    for _ in range(number - 1):
        page = await service.tasks.list_tasks(caller, query)
        if page.next_cursor is None:
            return ()
        query = replace(query, cursor=page.next_cursor)
    return (await service.tasks.list_tasks(caller, query)).tasks


async def _count(service: Service, caller: Caller, query: TaskQuery) -> int:
    """The same number for every page of a list."""
    if not (query.model or query.created_after or query.created_before):
        return await service.tasks.count(caller, query.states)
    query, total = replace(query, limit=MAX_PAGE), 0
    while total < MAX_COUNTED:
        page = await service.tasks.list_tasks(caller, query)
        total, query = total + len(page.tasks), replace(query, cursor=page.next_cursor)
        if query.cursor is None:
            break
    return total
