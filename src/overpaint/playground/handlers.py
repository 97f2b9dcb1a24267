"""What happens when the visitor does something: each is a use case of the service, done as the visitor's key.

Shared by the modules that wire events; `telling` makes an `OverpaintError` a sentence beside the field it is about.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, cast

import gradio as gr
from starlette.requests import HTTPConnection

from overpaint.core.errors import OverpaintError, TaskNotFoundError
from overpaint.core.request import MAX_SEED, AdapterRef
from overpaint.core.task import StoredFile, Task, TaskState
from overpaint.playground.desk import Desk, Frame
from overpaint.playground.difference import compare
from overpaint.playground.earlier import Earlier
from overpaint.playground.examples import sample_bytes
from overpaint.playground.live import data_uri
from overpaint.playground.parts import PageParts
from overpaint.playground.request_form import Reference
from overpaint.playground.wording import Words
from overpaint.service.caller import Caller
from overpaint.service.draft import Draft

_log = logging.getLogger(__name__)


class Handlers:
    """Use cases of an open page.

    Args:
        parts: what the page stands on.
        words: its language.
    """

    def __init__(self, parts: PageParts, words: Words) -> None:
        self.parts = parts
        self.words = words

    async def caller(self, request: gr.Request) -> Caller:
        """Who does this.

        Raises:
            AccessError: nobody we know (any more).
        """
        return await self.parts.visitors.caller(_plain(request))

    async def desk(self, request: gr.Request) -> Desk:
        """The desk of the page that asks; a new one where this process has none."""
        return await self._desk(_plain(request), request.session_hash or "", None)

    async def _desk(self, visit: HTTPConnection, page_id: str, remembered: str | None) -> Desk:
        caller = await self.parts.visitors.caller(visit)
        known = self.parts.desks.find(page_id)
        if known is not None and known.caller.key_id == caller.key_id:
            known.caller = caller  # its limits may have changed
            return known
        name = self.words["session_first"]
        session = await self.parts.sessions.open(caller, remembered, name)
        desk = Desk(caller, session.id, name)
        self.parts.desks.open(page_id, desk)
        return desk

    async def frames(self, visit: HTTPConnection, page_id: str, remembered: str) -> AsyncIterator[Frame]:
        """What the page shows, until it asks again; from another desk once the open page has another key.

        Args:
            visit: the page that asks.
            page_id: what Gradio calls it.
            remembered: the session that the browser worked in.

        Raises:
            AccessError: its key was revoked.
        """
        parts, is_another = self.parts, True
        while is_another:
            desk, is_another = await self._desk(visit, page_id, remembered), False
            async for frame in desk.frames(parts.service, parts.sessions, parts.views(self.words)):
                yield frame
                if is_another := (await parts.visitors.caller(visit)).key_id != desk.caller.key_id:
                    break

    def secret(self, request: gr.Request) -> str | None:
        """The visitor's own key, for code that they want to paste."""
        return self.parts.visitors.secret(_plain(request))

    def base_url(self, request: gr.Request) -> str:
        """Where this visitor reaches the server."""
        return self.parts.base_of(_plain(request))

    async def submit(self, desk: Desk, draft: Draft) -> Task:
        """Have a draft painted, as a node of the desk's session.

        Raises:
            OverpaintError: the service does not take it.
        """
        await desk.settle(self.parts.sessions)
        task = await self.parts.service.submit.submit(desk.caller, draft)
        await self._note(desk, task, draft)
        desk.show(task.id)
        self.parts.desks.ring(desk.caller)
        return task

    async def paint_again(self, desk: Desk, task_id: str) -> Task:
        """The same once more, with another seed; it grows from the same picture."""
        return await self.submit(desk, (await self.earlier(desk, task_id)).again())

    async def stop(self, desk: Desk, task_id: str) -> None:
        """Cancel a task."""
        await self.parts.service.tasks.cancel(desk.caller, task_id)
        self.parts.desks.ring(desk.caller)

    async def forget(self, desk: Desk, session_id: str) -> None:
        """Forget the session that the page showed; the desk may have left it already, when another page was quicker."""
        with suppress(TaskNotFoundError):
            await self.parts.sessions.delete(desk.caller, session_id)
        await desk.settle(self.parts.sessions)
        self.parts.desks.ring(desk.caller)

    async def earlier(self, desk: Desk, task_id: str) -> Earlier:
        """An earlier task, its references, mask and adapters as the form can name them again."""
        task, link = await self.parts.service.tasks.get(desk.caller, task_id), self.parts.service.links.link
        parent = await self._parent_file(desk, task)
        files = enumerate(task.spec.pictures, 1)
        pictures = tuple(self._reference(file, parent, f"{self.words['picture']} {number}") for number, file in files)
        mask = self._reference(task.spec.mask, None, self.words["mask"]) if task.spec.mask else None
        adapters = tuple(AdapterRef(link(one.key) if one.key else one.name, one.scale) for one in task.spec.adapters)
        return Earlier(task, pictures, mask, adapters)

    async def result(self, caller: Caller, task_id: str, index: int) -> Reference:
        """A finished picture, to go on from.

        Raises:
            TaskNotFoundError: there is none that the caller may see.
        """
        task = await self.parts.service.tasks.get(caller, task_id)
        file = task.outputs[index].file
        name = f"{self.words['result']} {index + 1}"
        return Reference(file.key, self.parts.service.links.link(file.key), name, file.width, file.height)

    async def example_pictures(self, desk: Desk, card: dict[str, Any]) -> tuple[Reference, ...]:
        """The sample of an example card, uploaded as any other picture."""
        if card["sample"] is None:
            return ()
        files, name = self.parts.service.files, str(card["sample"])
        stored = await files.upload(files.reserve(desk.caller), sample_bytes(name), name)
        link = self.parts.service.links.link(stored.key)
        return (Reference(stored.key, link, name, stored.width, stored.height),)

    async def difference(self, caller: Caller, task_id: str, index: int) -> dict[str, Any]:
        """What a result changed in the first reference, for the canvas."""
        task = await self.parts.service.tasks.get(caller, task_id)
        before = await self.parts.service.files.read(task.spec.pictures[0].key)
        after = await self.parts.service.files.read(task.outputs[index].file.key)
        found = await asyncio.to_thread(compare, before.data, after.data)
        shares = {"share": f"{found.share_untouched * 100:.1f}", "alike": f"{found.share_alike * 100:.1f}"}
        told = self.words.say("untouched_resized" if found.is_resized else "untouched", **shares)
        return {"picture": data_uri(found.picture, "image/png"), "told": told, "share": found.share_untouched}

    async def _note(self, desk: Desk, task: Task, draft: Draft) -> None:
        """Make a task a node of the desk's session; it was taken and will be charged, whatever becomes of that."""
        try:
            await desk.settle(self.parts.sessions)
            await self.parts.sessions.add(desk.caller, desk.session_id, task, draft)
        except OverpaintError as error:
            _log.warning("task %s is in no session: %s", task.id, error.message)

    async def _parent_file(self, desk: Desk, task: Task) -> StoredFile | None:
        """The picture that a task grew from."""
        await desk.settle(self.parts.sessions)
        nodes = await self.parts.sessions.nodes(desk.caller, desk.session_id)
        node = next((node for node in nodes if node.task_id == task.id), None)
        if node is None or node.parent_id is None:
            return None
        parent = await self.parts.service.tasks.get(desk.caller, node.parent_id)
        is_there = parent.state is TaskState.SUCCEEDED and node.parent_index < len(parent.outputs)
        return parent.outputs[node.parent_index].file if is_there else None

    def _reference(self, file: StoredFile, parent: StoredFile | None, name: str) -> Reference:
        """A stored input; named as its parent's output where it is that very picture, so that the tree goes on."""
        is_parent = parent is not None and (file.num_bytes, file.width) == (parent.num_bytes, parent.width)
        key = parent.key if is_parent and parent else ""
        return Reference(key, self.parts.service.links.link(key or file.key), name, file.width, file.height)


def fresh_seed() -> int:
    """Any seed."""
    return secrets.randbelow(MAX_SEED + 1)


def _plain(request: gr.Request) -> HTTPConnection:
    """The request itself, which Gradio wraps; not for the functions that a component's script calls."""
    given: object = request
    return given if isinstance(given, HTTPConnection) else cast("HTTPConnection", request.request)
