"""Nothing leaves the house unasked: a server without any way out starts, and edits a picture.

In a network namespace that has only a loopback, where the machine allows one, and with a guard inside every Python
process that notes each attempt to look up or to reach another machine.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import overpaint.bundled

SEALED = Path(__file__).parent / "sealed"
SAMPLE = Path(overpaint.bundled.__file__).parent / "samples" / "cat-on-yellow.png"
NAMESPACE = ["unshare", "--user", "--map-root-user", "--net"]


def has_namespaces() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


def sealed(notes: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run Python without a way out; what tries to find one is in `notes`."""
    in_namespace = has_namespaces()
    environment = os.environ | {"PYTHONPATH": str(SEALED), "SEALED_NOTES": str(notes), "OMP_NUM_THREADS": "1"}
    environment |= {"SEALED_NAMESPACE": "1"} if in_namespace else {}
    command = [*(NAMESPACE if in_namespace else []), sys.executable, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize(
    "reach",
    [
        "socket.create_connection(('192.0.2.1', 80), 1)",
        "socket.getaddrinfo('example.com', 443)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    ],
)
def test_the_guard_notices_who_reaches_out(tmp_path: Path, reach: str) -> None:
    done = sealed(tmp_path / "notes", "-c", f"import socket; {reach}")
    assert "sealed: socket." in done.stderr
    assert (tmp_path / "notes").read_text().startswith("socket.")


def test_a_server_without_a_way_out_edits_a_picture_and_does_not_even_try_one(tmp_path: Path) -> None:
    notes, result = tmp_path / "notes", tmp_path / "result.png"
    done = sealed(notes, str(SEALED / "edit.py"), str(tmp_path), str(SAMPLE), str(result))
    assert (done.returncode, done.stdout) == (0, "stopped with 0\n"), done.stderr
    with Image.open(result) as edited, Image.open(SAMPLE) as sample:
        assert edited.size == sample.size
    assert not notes.exists(), notes.read_text()
