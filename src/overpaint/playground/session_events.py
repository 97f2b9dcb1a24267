"""What the history asks: another node, another session, a new one, another name, an end."""

import gradio as gr

from overpaint.core.errors import OverpaintError
from overpaint.playground.handlers import Handlers
from overpaint.playground.stage import QUIET, Stage
from overpaint.playground.telling import told


def wire_sessions(stage: Stage, notice: gr.HTML, handlers: Handlers) -> None:
    """Connect the history; what goes wrong is told in `notice`."""
    history, sessions = stage.history, handlers.parts.sessions

    async def choose(event: gr.EventData, request: gr.Request) -> None:
        (await handlers.desk(request)).show(str(event.id), int(event.index))

    async def switch(event: gr.EventData, request: gr.Request) -> None:
        desk = await handlers.desk(request)
        session = await sessions.get(desk.caller, str(event.id))
        desk.switch(session.id)

    async def create(request: gr.Request) -> None:
        desk = await handlers.desk(request)
        session = await sessions.create(desk.caller, handlers.words["session_new"])
        desk.switch(session.id)

    async def rename(event: gr.EventData, request: gr.Request) -> str:
        desk = await handlers.desk(request)
        try:
            await sessions.rename(desk.caller, desk.session_id, str(event.name))
        except OverpaintError as error:
            return told(error, handlers.words)[0]
        handlers.parts.desks.ring(desk.caller)
        return ""

    async def forget(event: gr.EventData, request: gr.Request) -> None:
        desk = await handlers.desk(request)
        await handlers.forget(desk, str(event.id))

    for part in (stage.canvas, stage.tray, history):
        part.choose(choose, None, None, **QUIET)
    history.session(switch, None, None, **QUIET)
    history.create(create, None, None, **QUIET)
    history.rename(rename, None, notice, **QUIET)
    history.forget(forget, None, None, **QUIET)
