"""`overpaint serve`, `keys` and `usage` as a person runs them: real processes, the null engine."""

import csv
import io
import json
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.contract.api.conftest import RunningServer, start_server, wait_until

PAINT = {"prompt": "a cat", "size": "256x256", "steps": 2}


def overpaint(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "overpaint", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    server = start_server(tmp_path_factory.mktemp("serve"))
    yield server
    server.stop()


def test_a_key_made_while_the_server_runs_works_at_once_until_it_is_revoked(running: RunningServer) -> None:
    made = overpaint("keys", "create", "shop", "--data-dir", str(running.data_dir))
    secret = made.stdout.strip()
    assert re.fullmatch(r"op_[\w-]{40,}\n", made.stdout)
    with running.client(secret) as http:
        assert http.get("/overpaint/v1/models").status_code == 200
        assert http.get("/overpaint/v1/keys").status_code == 403
    assert overpaint("keys", "revoke", "shop", "--data-dir", str(running.data_dir)).returncode == 0
    listed = overpaint("keys", "list", "--data-dir", str(running.data_dir)).stdout
    assert "shop" in listed
    assert secret not in listed


def test_a_limit_that_is_not_named_stays(running: RunningServer) -> None:
    """Who raises a rate must not lose the budget."""
    where = ("--data-dir", str(running.data_dir))
    overpaint("keys", "create", "agency", "--per-minute", "60", "--budget", "200", *where)
    changed = overpaint("keys", "limit", "agency", "--per-minute", "120", *where)
    assert re.search(r"agency .* no +120 +- +200 ", changed.stdout)
    lifted = overpaint("keys", "limit", "agency", "--budget", "none", *where)
    assert re.search(r"agency .* no +120 +- +- ", lifted.stdout)


def test_a_key_that_is_not_there_is_told_in_one_line(running: RunningServer) -> None:
    done = overpaint("keys", "revoke", "nobody", "--data-dir", str(running.data_dir))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_database_that_fails_is_told_in_one_line(tmp_path: Path) -> None:
    """The store's warning once stood above the error, and said the same."""
    (tmp_path / "overpaint.db").write_text("no database, but long enough to be looked at" * 100)
    done = overpaint("keys", "list", "--data-dir", str(tmp_path))
    assert (done.returncode, done.stderr) == (1, "error: the database failed: file is not a database\n")


def test_usage_is_one_row_for_each_task(running: RunningServer) -> None:
    with running.client() as http:
        task = http.post("/overpaint/v1/tasks", json=PAINT, params={"wait_s": 30}).json()
    assert task["state"] == "succeeded"
    table = overpaint("usage", "--csv", "--data-dir", str(running.data_dir)).stdout
    rows = [row for row in csv.DictReader(io.StringIO(table)) if row["task_id"] == task["id"]]
    assert [(row["key"], row["num_images"]) for row in rows] == [("first", "1")]


def test_no_line_of_the_log_has_a_prompt_or_a_key(running: RunningServer) -> None:
    with running.client() as http:
        asked = PAINT | {"prompt": "a very secret cat"}
        task = http.post("/overpaint/v1/tasks", json=asked, params={"wait_s": 30}).json()
    wait_until(lambda: task["id"] in running.log.read_text())  # a line is written after its answer
    lines = running.log.read_text().splitlines()
    assert not any("secret cat" in line for line in lines)
    assert sum(running.key in line for line in lines) == 1, "only the greeting of the first start"
    logged = [json.loads(line) for line in lines if line.startswith("{")]
    assert any(line["logger"] == "overpaint.access" and line["task_id"] == task["id"] for line in logged)


def test_events_run_from_queued_to_done(running: RunningServer) -> None:
    with running.client() as http:
        url = http.post("/overpaint/v1/tasks", json=PAINT).json()["urls"]["events"]
        names: list[str] = []
        with http.stream("GET", url) as stream:
            names = [line.removeprefix("event: ") for line in stream.iter_lines() if line.startswith("event: ")]
    assert names[-1] == "done"
    assert set(names) <= {"queued", "progress", "preview", "done"}


def test_a_second_start_goes_on_with_what_was_queued_and_prints_no_key(tmp_path: Path) -> None:
    first = start_server(tmp_path, model="null:0.5")
    with first.client() as http:
        tasks = [http.post("/overpaint/v1/tasks", json=PAINT | {"steps": 20}).json()["id"] for _ in range(3)]
    assert first.stop() < 10
    second = start_server(tmp_path, key=first.key)
    try:
        assert "API key" not in second.log.read_text()
        with second.client() as http:
            ended = [http.get(f"/overpaint/v1/tasks/{task}/events", timeout=60).text for task in tasks]
            states = {http.get(f"/overpaint/v1/tasks/{task}").json()["state"] for task in tasks}
        assert all("event: done" in text for text in ended)
        assert states == {"succeeded"}
    finally:
        second.stop()


def test_a_port_that_is_taken_is_told_before_anything_is_started(running: RunningServer, tmp_path: Path) -> None:
    port = running.url.rpartition(":")[2]
    done = overpaint("serve", "--data-dir", str(tmp_path / "other"), "--model", "null:", "--port", port)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: port: 127.0.0.1:{port} cannot be had")
    assert not (tmp_path / "other").exists()


def test_an_address_that_is_not_this_machine_s_is_told_as_the_host(tmp_path: Path) -> None:
    done = overpaint("serve", "--data-dir", str(tmp_path / "data"), "--model", "null:", "--host", "192.0.2.1")
    assert done.returncode == 2
    assert done.stderr.startswith("error: host: 192.0.2.1:8000 cannot be had")


def test_the_start_says_where_links_in_webhooks_point(running: RunningServer) -> None:
    assert f"Links in webhooks begin with {running.url};" in running.log.read_text()


def test_the_start_says_what_paints_once_it_can(running: RunningServer) -> None:
    wait_until(lambda: "Ready: null on cpu" in running.log.read_text())


def test_a_checkpoint_that_is_not_there_ends_the_server_with_its_reason(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    done = overpaint("serve", "--data-dir", str(tmp_path), "--port", "0", "--no-page", "--model", nowhere)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith(f"error: checkpoint: {nowhere}")


def test_https_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    server = start_server(tmp_path, "--tls-self-signed")
    try:
        assert server.url.startswith("https://")
        context = ssl.create_default_context(cafile=tmp_path / "self-signed.crt")
        answer = httpx.get(f"{server.url}/health/live", verify=context, trust_env=False)
        assert answer.status_code == 200
        assert (tmp_path / "self-signed.key").stat().st_mode & 0o077 == 0
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (["--port", "99999"], "--port: 99999"),
        (["--tls-cert", "nowhere.pem"], "tls_cert"),
        (["--proxy-port", "0"], "proxy_port"),
        (["--proxy-port", "0", "--tls-self-signed", "--open-page"], "open_page"),
        (["--database", "mysql://x"], "mysql"),
        (["--config", "nowhere.toml"], "nowhere.toml"),
        (["--public-url", "x"], "public_url"),
        (["--safety", "maybe"], "--safety: 'maybe'"),
        (["--data-dir", __file__], "data_dir"),
        (["--data-dir", "/proc/overpaint"], "data_dir"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(tmp_path: Path, flags: list[str], names: str) -> None:
    done = overpaint("serve", "--data-dir", str(tmp_path), "--model", "null:", *flags)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert names in last


def test_an_enhancer_without_a_scheme_is_refused_at_the_start(tmp_path: Path) -> None:
    """Else every prompt would be painted as written, and only the log would say why."""
    (tmp_path / "server.toml").write_text('enhancer_url = "gpu-box:11434/v1"\n')
    where = ("--data-dir", str(tmp_path), "--config", str(tmp_path / "server.toml"))
    done = overpaint("serve", "--port", "0", "--no-page", "--model", "null:", *where)
    assert (done.returncode, "enhancer_url: 'gpu-box:11434/v1' must be like http://" in done.stderr) == (2, True)


def test_a_start_that_is_refused_makes_no_first_key(tmp_path: Path) -> None:
    """Nobody would be shown it: the next start would find a key and print none."""
    where = ("--data-dir", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        proxy = ("--tls-self-signed", "--proxy-port", str(taken.getsockname()[1]))
        done = overpaint("serve", "--port", "0", "--no-page", "--model", "null:", *proxy, *where)
    assert (done.returncode, "proxy_port" in done.stderr) == (2, True)
    listed = overpaint("keys", "list", *where)
    assert (listed.returncode, "first" in listed.stdout) == (0, False)
