"""How long a request will take, from how long the caller's last ones took."""

from collections.abc import Sequence
from statistics import median

from overpaint.core.task import Task, TaskState
from overpaint.service.caller import Caller
from overpaint.service.service import Service
from overpaint.service.tasks import TaskQuery

SAMPLES = 12


async def seconds_per_step(service: Service, caller: Caller, default_steps: int) -> float | None:
    """Median of the caller's last results: the engine's work divided by the steps of all pictures; None without any."""
    query = TaskQuery(states=(TaskState.SUCCEEDED,), key_id=caller.key_id, limit=SAMPLES)
    page = await service.tasks.list_tasks(caller, query)
    return typical(page.tasks, default_steps)


def typical(tasks: Sequence[Task], default_steps: int) -> float | None:
    """See `seconds_per_step`."""
    paces = [
        (task.timings.total_s - task.timings.queue_s) / ((task.spec.steps or default_steps) * task.spec.num_images)
        for task in tasks
        if task.timings is not None
    ]
    return median(paces) if paces else None
