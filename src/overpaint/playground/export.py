"""A session as a zip: every picture, and `session.json` with the steps that led to it."""

import json
import tempfile
import zipfile
from collections.abc import Iterator
from typing import IO, Any

from overpaint.core.errors import TaskNotFoundError
from overpaint.core.session import SessionNode
from overpaint.core.sizes import Size
from overpaint.core.task import StoredFile, Task
from overpaint.playground.sessions import Sessions
from overpaint.service.caller import Caller
from overpaint.service.service import Service

IN_MEMORY_BYTES = 16 << 20
CHUNK_BYTES = 1 << 16


async def zip_session(service: Service, sessions: Sessions, caller: Caller, session_id: str) -> IO[bytes]:
    """The zip, at its start; the caller closes it.

    Raises:
        TaskNotFoundError: there is no such session.
    """
    session = await sessions.get(caller, session_id)
    file = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 - it outlives this call
    steps: list[dict[str, Any]] = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # pictures are compressed already
        packed: dict[str, str] = {}
        for number, node in enumerate(await sessions.nodes(caller, session_id), 1):
            task = await service.tasks.get(caller, node.task_id)
            files = {stored.key: name for stored, name in _files(task, number)}
            for key, name in files.items():
                if key not in packed and await _pack(service, archive, key, name):
                    packed[key] = name
            steps.append(_step(task, node, packed))
        told = {"session": session.name, "created_at": session.created_at.isoformat(), "steps": steps}
        archive.writestr("session.json", json.dumps(told, ensure_ascii=False, indent=2))
    file.seek(0)
    return file


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    """The file piece by piece; closes it at the end."""
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


async def _pack(service: Service, archive: zipfile.ZipFile, key: str, name: str) -> bool:
    """Whether the file was still there."""
    try:
        archive.writestr(name, (await service.files.read(key)).data)
    except TaskNotFoundError:
        return False
    return True


def _files(task: Task, number: int) -> Iterator[tuple[StoredFile, str]]:
    for index, output in enumerate(task.outputs, 1):
        yield output.file, f"{number:03}-{index}.{_suffix(output.file)}"
    for file in (*task.spec.pictures, *((task.spec.mask,) if task.spec.mask else ())):
        yield file, f"inputs/{file.key.rpartition('/')[2][:16]}.{_suffix(file)}"


def _suffix(file: StoredFile) -> str:
    return file.media_type.partition("/")[2]


def _step(task: Task, node: SessionNode, packed: dict[str, str]) -> dict[str, Any]:
    spec = task.spec
    return {
        "task": task.id,
        "parent": node.parent_id,
        "parent_picture": node.parent_index if node.parent_id else None,
        "state": task.state.value,
        "model": spec.model,
        "prompt": spec.prompt,
        "enhanced_prompt": spec.enhanced_prompt,
        "negative_prompt": spec.negative_prompt,
        "references": [packed.get(file.key) for file in spec.pictures],
        "mask": packed.get(spec.mask.key) if spec.mask else None,
        "size": str(spec.size) if isinstance(spec.size, Size) else spec.size,
        "steps": spec.steps,
        "true_cfg_scale": spec.true_cfg_scale,
        "adapters": [{"name": one.name, "scale": one.scale, "sha256": one.digest} for one in spec.adapters],
        "pictures": [{"file": packed.get(output.file.key), "seed": output.seed} for output in task.outputs],
        "price_usd": task.price_microusd / 1_000_000,
        "created_at": task.created_at.isoformat(),
    }
