"""Starts a server, has it edit a picture, and stops it: a script, so that all of it can run where there is no way out.

python edit.py DATA_DIR PICTURE RESULT
"""

import base64
import fcntl
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

READY_S = 120
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1


def main(data_dir: Path, picture: Path, result: Path) -> None:
    if "SEALED_NAMESPACE" in os.environ:
        raise_loopback()
    log = data_dir / "server.log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "overpaint", "serve", "--port", "0", "--data-dir", str(data_dir)]
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        port, key = greeting(log, server)
        result.write_bytes(edited(f"http://127.0.0.1:{port}", key, picture.read_bytes()))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    print("stopped with", server.returncode)


def raise_loopback() -> None:
    """A fresh network namespace has a loopback that is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))


def greeting(log: Path, server: "subprocess.Popen[bytes]") -> tuple[str, str]:
    """Port and key, once it is ready."""
    deadline_s = time.monotonic() + READY_S
    while time.monotonic() < deadline_s and server.poll() is None:
        said = log.read_text()
        if (port := re.search(r"listens at \S+:(\d+)", said)) and (key := re.search(r"this once: (\S+)", said)):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/health/ready", timeout=10).close()
            except OSError:
                time.sleep(0.2)
                continue
            return port[1], key[1]
        time.sleep(0.2)
    raise SystemExit(log.read_text())


def edited(url: str, key: str, picture: bytes) -> bytes:
    """What comes of an edit."""
    images = ["data:image/png;base64," + base64.b64encode(picture).decode()]
    body = {"prompt": "change the background to blue", "images": images, "steps": 4, "model": "qwen-image-2.0-pro"}
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    ask = urllib.request.Request(f"{url}/overpaint/v1/tasks?wait_s=100", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(ask, timeout=110) as answer:
        task = json.load(answer)
    assert task["state"] == "succeeded", task
    with urllib.request.urlopen(task["images"][0]["url"], timeout=30) as answer:
        return answer.read()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
