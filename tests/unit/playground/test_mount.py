"""Of what Gradio answers, the page needs little, and nothing else is reached: not with a key either."""

import pytest
from starlette.routing import Match

from overpaint.playground.mount import PageRoute
from overpaint.playground.parts import PageParts

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("home", ["", "/zh"])
@pytest.mark.parametrize(
    ("path", "is_ours"),
    [
        ("config", True),
        ("gradio_api/run/predict", True),
        ("gradio_api/queue/join", True),
        ("gradio_api/heartbeat/a", True),
        ("gradio_api/component_server", True),
        ("static/fonts/a.woff2", True),
        ("gradio_api/file=/etc/passwd", False),
        ("gradio_api/upload_progress", False),
        ("gradio_api/deep_link", False),
        ("gradio_api/process_recording", False),
        ("gradio_api/custom_component/a/client/b/c", False),
        ("gradio_api/stream/a/1/2/playlist.m3u8", False),
        ("gradio_api/dev/reload", False),
        ("gradio_api/mcp/sse", False),
        ("gradio_api/vibe-code", False),
        ("gradio_api/monitoring", False),
        ("svelte/a.js", False),
        ("login", False),
    ],
)
async def test_a_path_is_the_pages_or_nobodys(parts: PageParts, home: str, path: str, *, is_ours: bool) -> None:
    async def app(*_: object) -> None:
        pytest.fail("was asked")

    route = PageRoute(home or "/", app, parts)
    match, _ = route.matches({"type": "http", "path": f"{home}/{path}"})
    assert match is (Match.FULL if is_ours else Match.NONE)
