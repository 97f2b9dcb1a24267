"""fal's realtime connections: a WebSocket on which each message is an input and is answered with its output.

Messages are MessagePack maps; errors are texts of JSON (``x-fal-error``). Pictures are sent as bytes in ``content`` and
as links. Whoever hangs up stops what is being painted for them.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from itertools import count
from typing import Any, cast

import msgpack
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from overpaint.api.dialects.fal.access import authenticate
from overpaint.api.dialects.fal.answers import output_of
from overpaint.api.dialects.fal.asking import fals_words
from overpaint.api.dialects.fal.convert import Manners, to_draft
from overpaint.api.dialects.fal.endings import ending_error
from overpaint.api.dialects.fal.endpoints import Endpoint, endpoint_at
from overpaint.api.dialects.fal.errors import refusal_of
from overpaint.api.dialects.fal.inbox import Inbox
from overpaint.api.error_answers import unexpected
from overpaint.api.json_body import parse_json
from overpaint.api.public_url import Links, base_url
from overpaint.core.errors import OverpaintError, RequestError
from overpaint.core.task import Task
from overpaint.service.caller import Caller
from overpaint.service.draft import Draft
from overpaint.service.service import Service

router = APIRouter()
POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011
MAX_PARTS = 1000
"""Lists and maps of a message, and what each of them holds."""


@router.websocket("/{app:path}/realtime")
async def realtime(socket: WebSocket, app: str, max_buffering: str = "") -> None:
    """Answer one message after the other until the other side ends it, which is heard at any time."""
    await socket.accept()
    service: Service = socket.app.state.service
    try:
        caller, endpoint = await authenticate(socket, service), endpoint_at(app)
    except OverpaintError as error:
        await _tell(socket, error)
        await socket.close(POLICY_VIOLATION)
        return
    inbox = Inbox(max_buffering)
    answering = asyncio.ensure_future(_answer_or_hang_up(socket, service, caller, endpoint, inbox))
    try:
        while (message := await socket.receive())["type"] != "websocket.disconnect":
            inbox.put(message)
    finally:
        answering.cancel()
        with suppress(asyncio.CancelledError, WebSocketDisconnect):
            await answering


async def _answer_or_hang_up(
    socket: WebSocket, service: Service, caller: Caller, endpoint: Endpoint, inbox: Inbox
) -> None:
    """Where even an error cannot be told, the connection is closed: better none than a silent one."""
    try:
        await _answer_all(socket, service, caller, endpoint, inbox)
    except Exception as exc:  # noqa: BLE001  the last resort
        unexpected(exc)
        await socket.close(INTERNAL_ERROR)


async def _answer_all(socket: WebSocket, service: Service, caller: Caller, endpoint: Endpoint, inbox: Inbox) -> None:
    while True:
        message = await inbox.get()
        try:
            with fals_words(endpoint):
                draft = to_draft(endpoint.body.model_validate(_read(message)), endpoint, Manners())
                task = await _painted(socket, service, caller, draft)
            error = ending_error(task)
            if error is not None:
                raise error
            await socket.send_bytes(await _output(socket, service, task))
        except OverpaintError as error:
            await _tell(socket, error)
        except WebSocketDisconnect:
            return
        except Exception as exc:  # noqa: BLE001  a bug costs this message, and whoever sent it must hear of its end
            await _tell(socket, unexpected(exc))


async def _painted(socket: WebSocket, service: Service, caller: Caller, draft: Draft) -> Task:
    """Accept a draft and wait for its end; when that wait is cancelled so is the task, which may be stored already."""
    submitting = asyncio.ensure_future(service.submit.submit(caller, draft))
    try:
        task = await asyncio.shield(submitting)
        while not task.state.is_final:
            task = await service.tasks.wait(caller, task, socket.app.state.config.sync_timeout_s)
    except asyncio.CancelledError:
        with suppress(OverpaintError):
            await service.tasks.cancel(caller, (await submitting).id)
        raise
    return task


async def _output(socket: WebSocket, service: Service, task: Task) -> bytes:
    links = Links(base_url(socket, socket.app.state.config), "", service.links)
    told = output_of(task, links).model_dump()
    for image, output in zip(told["images"], task.outputs, strict=True):
        image["content"] = (await service.files.read(output.file.key)).data
    return cast("bytes", msgpack.packb(told, use_bin_type=True))


def _read(message: Mapping[str, Any]) -> object:
    """What a message says, in either form.

    Raises:
        RequestError: nothing that can be understood.
    """
    try:
        data, text = message.get("bytes"), message.get("text")
        return _unpacked(data) if data else parse_json((text or "null").encode())
    except (ValueError, RecursionError, msgpack.UnpackException) as exc:
        raise RequestError("body", "a message", "must be a MessagePack map") from exc


def _unpacked(data: bytes) -> object:
    """What MessagePack says; a message of a few megabytes may be of millions of parts, a gigabyte to hold.

    Raises:
        ValueError: it is not MessagePack, or of more parts than any input has.
    """
    number = count()

    def counted(value: object) -> object:
        if next(number) >= MAX_PARTS:
            raise ValueError("too many parts")
        return value

    bounds = {"max_array_len": MAX_PARTS, "max_map_len": MAX_PARTS}
    return cast("object", msgpack.unpackb(data, list_hook=counted, object_hook=counted, **bounds))


async def _tell(socket: WebSocket, error: OverpaintError) -> None:
    refusal = refusal_of(error)
    code = refusal.error_type.upper() or HTTPStatus(refusal.status).name  # the client knows UNAUTHORIZED
    told = {"type": "x-fal-error", "error": code, "reason": refusal.text, "detail": refusal.detail}
    await socket.send_text(json.dumps(told))
