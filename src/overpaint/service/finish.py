"""From an engine's pixels to a finished task: size, safety, files, and then everything else in one transaction.

Files are written first and under names that no other attempt uses, so a crash in between leaves files that nobody names
(the sweeper's work) and never a task without its files. A store that is out of reach is asked again for a while: the
pixels are paid for.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from overpaint.core.errors import BackendError
from overpaint.core.output_ports import OutputStore
from overpaint.core.picture import Picture
from overpaint.core.request import GenerationRequest
from overpaint.core.result import GenerationResult
from overpaint.core.sizes import Size
from overpaint.core.store_ports import TaskStore
from overpaint.core.task import Lease, StoredFile, Task, TaskFailure, TaskOutput
from overpaint.core.trouble import Trouble
from overpaint.images.encode import encode
from overpaint.images.metadata import recipe_of
from overpaint.images.resize import resize
from overpaint.service.clock import ServiceClock
from overpaint.service.files import OUTPUTS
from overpaint.service.safety import Safety
from overpaint.version import __version__

SOFTWARE = f"overpaint {__version__}"
SUFFIXES = {"png": "png", "jpeg": "jpg", "webp": "webp"}
RETRY_DELAYS_S = (0.1, 0.3, 1.0, 2.0, 5.0, 5.0, 10.0, 10.0, 15.0, 15.0, 30.0, 30.0)
T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Painted:
    """What came of a lease.

    Args:
        lease: it.
        request: what the engine was asked.
        result: what it gave.
    """

    lease: Lease
    request: GenerationRequest
    result: GenerationResult


class Finisher:
    """Ends tasks.

    Args:
        tasks: where tasks end.
        outputs: where files go.
        safety: looks at what was painted.
        clock: passes the time between tries.
        delays_s: pauses between tries while a store is out of reach.
    """

    def __init__(
        self,
        tasks: TaskStore,
        outputs: OutputStore,
        safety: Safety,
        clock: ServiceClock,
        delays_s: tuple[float, ...] = RETRY_DELAYS_S,
    ) -> None:
        self._tasks = tasks
        self._outputs = outputs
        self._safety = safety
        self._clock = clock
        self._delays_s = delays_s
        self._trouble = Trouble("what was painted cannot be stored now", _log)

    async def finish(self, painted: Painted) -> Task | None:
        """Write the pictures and mark the task done; None when it was somebody else's to end by now.

        Raises:
            BackendError: the files or the store stayed out of reach; nothing was ended.
        """
        flags = [await self._safety.is_unsafe(image.picture) for image in painted.result.images]
        if self._safety.mode == "block" and any(flags):
            return await self.fail(painted.lease, TaskFailure("content", "the painted picture is not safe for work"))
        outputs = await self._write(painted, flags)
        # When this fails the task may be stored all the same: the files stay, the sweeper finds those nobody names.
        ended = await self._patiently(lambda: self._tasks.succeed(painted.lease, outputs, painted.result.timings))
        if ended is None:
            _log.info("task %s was ended or taken by somebody else", painted.lease.task.id)
            await self._outputs.delete([output.file.key for output in outputs])
        return ended

    async def fail(self, lease: Lease, failure: TaskFailure) -> Task | None:
        """Mark the task failed; None when it was somebody else's to end by now.

        Raises:
            BackendError: the store stayed out of reach.
        """
        return await self._patiently(lambda: self._tasks.fail(lease, failure))

    async def _write(self, painted: Painted, flags: list[bool | None]) -> list[TaskOutput]:
        images, token = painted.result.images, secrets.token_hex(6)
        files = await asyncio.gather(*(self._write_one(painted, index, token) for index in range(len(images))))
        return [TaskOutput(file, image.seed, flag) for file, image, flag in zip(files, images, flags, strict=True)]

    async def _write_one(self, painted: Painted, index: int, token: str) -> StoredFile:
        task, file_format = painted.lease.task, painted.lease.task.spec.output.format
        picture, data = await asyncio.to_thread(_render, painted, index)
        media_type = f"image/{file_format}"
        key = f"{OUTPUTS}{task.id}/{index}-{token}.{SUFFIXES[file_format]}"
        await self._patiently(lambda: self._outputs.put(key, data, media_type))
        return StoredFile(key, media_type, len(data), picture.width, picture.height)

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it, again and again while what it needs is out of reach."""
        for delay_s in self._delays_s:
            try:
                done = await work()
            except BackendError as error:
                self._trouble.failed(error.message)
                await self._clock.sleep(delay_s)
            else:
                self._trouble.worked()
                return done
        return await work()


def _render(painted: Painted, index: int) -> tuple[Picture, bytes]:
    """A picture at the asked size, where the engine could only paint one near it, and its file."""
    spec, picture = painted.lease.task.spec, painted.result.images[index].picture
    if isinstance(spec.size, Size):
        picture = resize(picture, spec.size)
    made = recipe_of(painted.request, painted.result, index, SOFTWARE)
    recipe = replace(made, prompt=spec.prompt, size=f"{picture.width}x{picture.height}")
    return picture, encode(picture, spec.output, recipe)
