"""Numbered pages over a list of tasks that knows cursors. Knows no dialect."""

from dataclasses import replace

from overpaint.core.task import Task
from overpaint.service.caller import Caller
from overpaint.service.service import Service
from overpaint.service.tasks import TaskQuery

MAX_WALKED = 100
"""Pages beyond the asked one that are counted, when filters narrow the list."""


async def numbered_page(
    service: Service, caller: Caller, query: TaskQuery, number: int
) -> tuple[tuple[Task, ...], int]:
    """The tasks of page `number` (from 1), and how many there are in all.

    Raises:
        RequestError: the query cannot be used.
    """
    is_narrow = bool(query.states or query.model or query.created_after or query.created_before)
    wanted: tuple[Task, ...] = ()
    seen, at = 0, 0
    while at < number or is_narrow:
        page = await service.tasks.list_tasks(caller, query)
        seen, at, query = seen + len(page.tasks), at + 1, replace(query, cursor=page.next_cursor)
        wanted = page.tasks if at == number else wanted
        if query.cursor is None or at >= number + MAX_WALKED:
            break
    return wanted, seen if is_narrow else await service.tasks.count(caller)
