"""Servers whose standard streams are closed, full, or read by nobody any more."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from tests.contract.api.conftest import is_ready, wait_until

STREAMS = (0, 1, 2)
GIVEN_TO_NOBODY = range(20_000, 30_000)
"""Ports below those that a system gives whoever asks for any: another test's server cannot get one in between."""


def free_port() -> int:
    for port in random.sample(GIVEN_TO_NOBODY, 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("a hundred ports are taken")


def serve(
    folder: Path,
    *,
    stdout: int = subprocess.DEVNULL,
    before: Callable[[], object] | None = None,
    stopped_by: signal.Signals = signal.SIGTERM,
) -> tuple[int, str]:
    """Start a server, wait until it is ready, stop it: how it ended, and what is in its log."""
    port = free_port()
    flags = ("--port", str(port), "--data-dir", str(folder), "--model", "null:", "--no-page")
    command = [sys.executable, "-m", "overpaint", "serve", *flags]
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(command, stdout=stdout, stderr=log, preexec_fn=before)
        try:
            wait_until(lambda: server.poll() is not None or is_ready(f"http://127.0.0.1:{port}"))
        finally:
            server.send_signal(stopped_by)
            try:
                server.wait(30)
            finally:
                server.kill()
        log.seek(0)
        return server.returncode, log.read().decode()


def keys_in(folder: Path) -> str:
    listing = [sys.executable, "-m", "overpaint", "keys", "list", "--data-dir", str(folder)]
    return subprocess.run(listing, capture_output=True, text=True, check=True).stdout


def test_a_closed_terminal_stops_a_server_as_it_is_asked_to(tmp_path: Path) -> None:
    """SIGHUP once killed it: what was being painted waited for its leases to run out, and counted as lost."""
    # Whoever runs the tests may do without a terminal, and have its programs ignore the signal.
    listens = partial(signal.signal, signal.SIGHUP, signal.SIG_DFL)
    assert serve(tmp_path, before=listens, stopped_by=signal.SIGHUP)[0] == 0


def test_a_server_whose_reader_is_gone_goes_on(tmp_path: Path) -> None:
    """`overpaint serve | head -1` once ended with a traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    code, log = serve(tmp_path, stdout=writer)
    os.close(writer)
    assert (code, "Traceback" in log) == (0, False)
    assert "cannot be written: Broken pipe" in log


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_first_key_that_cannot_be_shown_is_not_left_in_force(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        code, log = serve(tmp_path, stdout=full.fileno())
    assert (code, "overpaint keys create NAME --admin" in log) == (0, True)
    assert re.search(r"first .* 20\d\d-.* 20\d\d-", keys_in(tmp_path)), "it is revoked"


@pytest.mark.parametrize("closed", STREAMS)
def test_a_server_without_a_standard_stream_starts_and_ends_like_any_other(closed: int, tmp_path: Path) -> None:
    """What it opened next once took the stream's place: it came not up, or did not end but crash."""
    code, log = serve(tmp_path, before=lambda: os.close(closed))
    assert (code, "Assertion" in log) == (0, False)
