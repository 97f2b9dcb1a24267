"""The service over a real engine process that is killed again and again: every task ends, once."""

import asyncio
import os
import signal
from functools import partial

import pytest

from overpaint.core.config import ModelConfig
from overpaint.core.task import TaskState
from overpaint.engine.process.engine import ProcessEngine
from overpaint.engine.process.supervisor import RestartPolicy, Supervisor
from overpaint.service.build import Policies
from overpaint.service.draft import PictureBytes
from tests.unit.engine.process.openers import open_null, open_real
from tests.unit.service.conftest import NewWorld
from tests.unit.service.world import png

pytestmark = pytest.mark.anyio
POLICIES = Policies(b"0123456789abcdef", capacity=4, max_attempts=10, lease_s=2.0)


async def test_kill_9_loses_and_doubles_nothing(new_world: NewWorld) -> None:
    supervisor = Supervisor(partial(ProcessEngine, partial(open_null, 0.005)), RestartPolicy(first_s=0.01, max_s=0.05))
    world = await new_world(
        engine=supervisor, engine_problem=lambda: supervisor.problem, policies=POLICIES, is_started=False
    )
    try:
        assert await asyncio.to_thread(supervisor.wait_ready, 60)
        await world.service.start()
        tasks = [await world.submit(steps=6, seed=seed, webhook_url="https://h.example") for seed in range(40)]
        for _ in range(4):
            await asyncio.sleep(0.15)
            if supervisor.is_ready and supervisor.pid:
                os.kill(supervisor.pid, signal.SIGKILL)
        ended = [await world.done(task, 60) for task in tasks]
        assert {task.state for task in ended} == {TaskState.SUCCEEDED}
        assert supervisor.num_restarts >= 1
        rows = [row.task_id async for row in world.service.usage()]
        assert sorted(rows) == sorted(task.id for task in tasks)
        assert len(await world.service.webhooks.deliveries(limit=1000)) == 40
    finally:
        await world.service.stop(2)
        await asyncio.to_thread(supervisor.close)


@pytest.mark.slow
async def test_the_bundled_checkpoint_edits_in_its_own_process(new_world: NewWorld) -> None:
    supervisor = Supervisor(partial(ProcessEngine, partial(open_real, ModelConfig(device="cpu"))))
    world = await new_world(engine=supervisor, engine_problem=lambda: supervisor.problem, is_started=False)
    try:
        assert await asyncio.to_thread(supervisor.wait_ready, 180), supervisor.problem
        await world.service.start()
        task = await world.submit(prompt="make it blue", pictures=(PictureBytes(png(256, 256)),), size="256x256")
        assert (await world.done(task, 120)).state is TaskState.SUCCEEDED
    finally:
        await world.service.stop(2)
        await asyncio.to_thread(supervisor.close)
