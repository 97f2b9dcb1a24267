"""Clients that want their pictures whatever happens to the server: they ask again until they are given an id."""

import base64
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.e2e.faults.victim import Victim

PAUSE_S = 0.1
ANSWER_S = 20.0
WAVESPEED = "/wavespeed/api/v3/wavespeed-ai/qwen-image-2.0/edit"
NATIVE = "/overpaint/v1/tasks"


@dataclass
class Clients:
    """Some clients, each on a thread of its own, that send what they are allowed to.

    Args:
        victim: whom they ask.
        webhook_url: whom it shall tell.
        picture: what the edits are about, PNG.
        steps: of each task.
        size: of each task.
    """

    victim: Victim
    webhook_url: str
    picture: bytes
    steps: int = 4
    size: str = "256x256"
    accepted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    _permits: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_over: threading.Event = field(default_factory=threading.Event)

    @property
    def picture_uri(self) -> str:
        return "data:image/png;base64," + base64.b64encode(self.picture).decode()

    def allow(self, num_tasks: int) -> None:
        """Let so many more tasks be sent."""
        for _ in range(num_tasks):
            self._permits.release()

    def wait_accepted(self, num_tasks: int, timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        while len(self.accepted) < num_tasks:
            assert not self.refused, self.refused
            assert time.monotonic() < deadline_s, f"{len(self.accepted)} of {num_tasks} accepted: {self.statuses}"
            time.sleep(0.1)

    def work(self, number: int) -> None:
        """A client's life."""
        count = 0
        while not self._is_over.is_set():
            if self._permits.acquire(timeout=0.1):
                self._insist(number, count)
                count += 1

    def stop(self) -> None:
        self._is_over.set()

    def _insist(self, number: int, count: int) -> None:
        """Ask until a task is accepted; every second client says which request it repeats."""
        path, body = self._request(number, count)
        headers = {"Idempotency-Key": uuid.uuid4().hex} if number % 2 else {}
        while not self._is_over.is_set():
            try:
                with self.victim.client() as http:
                    answer = http.post(path, json=body, headers=headers, timeout=ANSWER_S)
            except httpx.TransportError:
                time.sleep(PAUSE_S)
                continue
            self._note(answer)
            if answer.status_code < 500:
                return
            time.sleep(PAUSE_S)

    def _note(self, answer: httpx.Response) -> None:
        with self._lock:
            self.statuses[answer.status_code] += 1
            if answer.is_success:
                told = answer.json()
                self.accepted.append(told["id"] if "id" in told else told["data"]["id"])
            elif answer.status_code != 503:
                self.refused.append(f"{answer.status_code} {answer.text}")

    def _request(self, number: int, count: int) -> tuple[str, dict[str, Any]]:
        """Pictures and words differ, so that no two requests are alike; both dialects and both kinds come."""
        words = f"paint it blue, client {number}, picture {count}"
        if number % 4 == 3:
            size = self.size.replace("x", "*")
            return WAVESPEED, {
                "prompt": words,
                "images": [self.picture_uri],
                "size": size,
                "webhook_url": self.webhook_url,
            }
        pictures = {"images": [self.picture_uri]} if number % 2 else {}
        body = {"prompt": words, "size": self.size, "steps": self.steps, "webhook_url": self.webhook_url}
        return NATIVE, body | pictures


@contextmanager
def at_work(clients: Clients, num_clients: int = 8) -> Iterator[Clients]:
    """Have them work on threads."""
    threads = [threading.Thread(target=clients.work, args=(n,), daemon=True) for n in range(num_clients)]
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        clients.stop()
        for thread in threads:
            thread.join(ANSWER_S)
