"""Safari's engine: WebKitGTK's small browser, asked over the WebDriver protocol. Knows nothing of Overpaint."""

import base64
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
PATIENCE_S = 60.0
BROWSER = next(Path("/usr/lib").glob("*/webkit2gtk-4*/MiniBrowser"), None)
DRIVER = shutil.which("WebKitWebDriver")
SCREEN = shutil.which("Xvfb")
MISSING = None if BROWSER and DRIVER and SCREEN else "no WebKit here; on Debian: apt install webkit2gtk-driver xvfb"


class Safari:
    """One window.

    Args:
        http: a client of the session.
    """

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def open(self, url: str) -> None:
        """Go to a page."""
        self._ask("url", {"url": url})

    def run(self, script: str, *given: object) -> Any:
        """What the body of a function returns, or the promise that it returns; `given` are its arguments."""
        return self._ask("execute/sync", {"script": script, "args": given})

    def wait(self, condition: str, *given: object) -> Any:
        """Wait until an expression holds."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not (found := self.run(f"return {condition}", *given)):
            assert time.monotonic() < deadline_s, f"never: {condition}"
            time.sleep(0.1)
        return found

    def click(self, selector: str) -> None:
        """Click on the middle of an element, as a mouse does."""
        self._ask(f"element/{self._find(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        """Type into a field; into one for files, a path."""
        self._ask(f"element/{self._find(selector)}/value", {"text": text})

    def shot(self, path: Path) -> None:
        """Save what is seen."""
        answer = self._http.get("screenshot").raise_for_status()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(answer.json()["value"]))

    def _find(self, selector: str) -> str:
        self.wait("document.querySelector(arguments[0])", selector)
        return self._ask("element", {"using": "css selector", "value": selector})[ELEMENT]

    def _ask(self, what: str, body: dict[str, object]) -> Any:
        answer = self._http.post(what, json=body)
        assert answer.is_success, answer.text
        return answer.json()["value"]


@contextmanager
def safari(width: int = 1440, height: int = 900) -> Iterator[Safari]:
    """A window on a screen of its own."""
    assert BROWSER
    assert DRIVER
    assert SCREEN
    port = _free_port()
    seen, told = os.pipe()
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    size = f"{width}x{height}x24"
    screen = subprocess.Popen([SCREEN, "-displayfd", str(told), "-screen", "0", size], pass_fds=[told], **quiet)
    os.close(told)
    with os.fdopen(seen) as number:
        environment = os.environ | {"DISPLAY": f":{number.readline().strip()}", "NO_AT_BRIDGE": "1"}
    driver = subprocess.Popen([DRIVER, f"--port={port}"], env=environment, **quiet)
    try:
        with _session(f"http://127.0.0.1:{port}", width, height) as http:
            yield Safari(http)
    finally:
        for process in (driver, screen):
            process.terminate()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def _session(base: str, width: int, height: int) -> Iterator[httpx.Client]:
    options = {"webkitgtk:browserOptions": {"binary": str(BROWSER), "args": ["--automation"]}}
    with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=PATIENCE_S, trust_env=False) as http:
        answer = http.post(f"{base}/session", json={"capabilities": {"alwaysMatch": options}})
        assert answer.is_success, answer.text
        http.base_url = f"{base}/session/{answer.json()['value']['sessionId']}/"
        http.post("window/rect", json={"width": width, "height": height})
        try:
            yield http
        finally:
            http.delete("")
