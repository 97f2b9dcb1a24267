"""Numbered pages over the list of tasks. Knows no dialect."""

import asyncio
from dataclasses import replace

from overpaint.core.task import Task
from overpaint.service.caller import Caller
from overpaint.service.service import Service
from overpaint.service.tasks import TaskQuery


async def numbered_page(
    service: Service, caller: Caller, query: TaskQuery, number: int
) -> tuple[tuple[Task, ...], int]:
    """The tasks of page `number` (from 1), and how many there are in all.

    Raises:
        RequestError: the query cannot be used.
    """
    asked = replace(query, skip=(number - 1) * query.limit)
    page, total = await asyncio.gather(service.tasks.list_tasks(caller, asked), service.tasks.count(caller, query))
    return page.tasks, total
