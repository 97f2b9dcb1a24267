"""What `doctor` says about memory, of checkpoints here and on a hub that serves them over HTTP."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from overpaint.cli.fits import choices, recommended
from overpaint.core.config import EngineConfig, ModelConfig
from overpaint.core.errors import CheckpointError
from overpaint.engine.placing import Device, Placer
from overpaint.model.checkpoint_files import WEIGHTED
from overpaint.model.footprint import DESCRIPTIONS, Footprint
from overpaint.model.hub import list_repository
from tests.reference.checkpoints import write_checkpoint
from tests.unit.cli.conftest import Overpaint
from tests.unit.engine.test_placing import QWEN

GIB = 2**30
HUB_ID = "someone/painter"


def placer(gib: float) -> Placer:
    return Placer(QWEN, "bf16", 2, Device(int(gib * GIB), has_host=True), EngineConfig())


@pytest.mark.parametrize(
    ("gib", "memory", "weights"),
    [(80, "resident", "bf16"), (32, "offload", "bf16"), (24, "offload", "bf16"), (16, "offload", "int8")],
)
def test_what_is_recommended_moves_and_rounds_as_little_as_it_can(gib: int, memory: str, weights: str) -> None:
    best = recommended(placer(gib), choices(placer(gib)))
    assert best
    assert (best.memory, best.weights) == (memory, weights)
    assert best.fit.can(placer(gib).usual)


def test_nothing_is_recommended_where_nothing_fits() -> None:
    assert recommended(placer(2), choices(placer(2))) is None


def test_another_card_can_be_asked_about(overpaint: Overpaint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OVERPAINT_MODEL")
    ended = overpaint("doctor", "--card", "16")
    assert ended.code == 0
    assert "16.0 GiB of free memory" in ended.out
    assert ended.out.count("offload") == 4
    assert "overpaint serve --memory resident" in " ".join(ended.out.split())
    assert "ready to paint" not in ended.out


def test_a_card_that_is_too_small_is_a_problem(overpaint: Overpaint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OVERPAINT_MODEL")
    ended = overpaint("doctor", "--card", "0.001")
    assert ended.code == 1
    assert "does not fit on this device, however it is held" in " ".join(ended.out.split())


def test_what_fits_is_counted_with_the_servers_own_settings(
    overpaint: Overpaint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("OVERPAINT_MODEL")
    (tmp_path / "server.toml").write_text("max_running = 3")
    monkeypatch.setenv("OVERPAINT_CONFIG", "server.toml")
    counted = overpaint("doctor", "--card", "1").out
    assert re.search(r">\s+resident .* 3\s*$", counted, re.MULTILINE)
    monkeypatch.setenv("OVERPAINT_PREFIX_DTYPE", "int8")
    assert overpaint("doctor", "--card", "1").out != counted, "prefixes take half as much"
    monkeypatch.setenv("OVERPAINT_MAX_RUNNING", "0")
    ended = overpaint("doctor", "--card", "1")
    assert (ended.code, "OVERPAINT_MAX_RUNNING: '0'" in ended.err) == (2, True)


@dataclass
class Hub:
    """Where it is, and the bytes of weight files that were asked of it."""

    url: str
    weight_bytes: list[int]


class _Pages(SimpleHTTPRequestHandler):
    """Just so much of the hub's HTTP as looking at a repository needs; files are those of a folder."""

    def __init__(self, *args: object, hub: Hub, root: Path) -> None:
        self._hub, self._root = hub, root
        super().__init__(*args)  # pyright: ignore[reportArgumentType]

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:
        del format, args

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        if path == f"/api/models/{HUB_ID}":
            files = [file for file in self._root.rglob("*") if file.is_file()]
            listed = [{"rfilename": str(f.relative_to(self._root)), "size": f.stat().st_size} for f in files]
            return self._send(200, json.dumps({"id": HUB_ID, "sha": "0" * 40, "siblings": listed}).encode(), with_body)
        file = self._root / path.removeprefix(f"/{HUB_ID}/resolve/main/")
        if not file.is_file():
            return self._send(404, b"{}", with_body)
        data, wanted = file.read_bytes(), self.headers.get("Range")
        if not wanted:
            return self._send(200, data, with_body)
        start, _, end = wanted.removeprefix("bytes=").partition("-")
        part = data[int(start) : int(end) + 1]
        self._hub.weight_bytes.append(len(part))
        return self._send(206, part, with_body)

    def _send(self, status: int, body: bytes, with_body: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{sha256(self.path.encode()).hexdigest()}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "checkpoint").mkdir()
    return write_checkpoint(tmp_path / "checkpoint", output_resolution=96, shards=True)


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    hub = Hub("", [])
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages, hub=hub, root=folder))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_repository_is_looked_at_and_not_fetched(hub: Hub, folder: Path, tmp_path: Path) -> None:
    listing = list_repository(HUB_ID, DESCRIPTIONS, WEIGHTED, endpoint=hub.url)
    assert Footprint.of_listing(listing) == Footprint.of_folder(folder)
    assert hub.weight_bytes, "headers are asked for by range"
    fetched = [file.suffix for file in (tmp_path / "cache").rglob("*") if file.is_file() and "snapshots" in file.parts]
    assert set(fetched) == {".json"}
    weights = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    assert listing.num_bytes >= weights


def test_a_repository_of_another_kind_is_refused(hub: Hub, folder: Path) -> None:
    (folder / "model_index.json").unlink()
    with pytest.raises(CheckpointError, match="not in the diffusers layout"):
        list_repository(HUB_ID, DESCRIPTIONS, WEIGHTED, endpoint=hub.url)
    with pytest.raises(CheckpointError, match="the hub did not give it"):
        list_repository("someone/else", DESCRIPTIONS, WEIGHTED, endpoint=hub.url)


def test_what_a_look_left_here_does_not_pass_for_the_checkpoint(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at a repository leaves its descriptions; the next look once called that a damaged checkpoint."""
    from overpaint.cli import machine

    monkeypatch.setattr(machine, "list_repository", partial(list_repository, endpoint=hub.url))
    looks = [machine.survey(ModelConfig(HUB_ID)) for _ in range(2)]
    assert [look.is_here for look in looks] == [False, False]
    assert looks[1].footprint == Footprint.of_folder(folder)


def test_what_is_not_installed_is_told_and_not_recommended() -> None:
    without = {weights: f"--weights {weights!r} needs torchao" for weights in ("fp8", "int8", "int4")}
    best = recommended(placer(16), choices(placer(16), without))
    assert best
    assert (best.memory, best.weights, best.hindrance) == ("offload", "bf16", None)
    needed = replace(placer(9), config=EngineConfig(prefix_dtype="int8"))
    alone = [one for one in choices(needed, without) if one.weights == "int8"]
    found = recommended(needed, alone)
    assert found
    assert found.hindrance == without["int8"]


def test_the_doctor_says_what_is_not_installed(overpaint: Overpaint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Brackets once were taken for marks of how to print, and the extra's name was lost with them."""
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    monkeypatch.delenv("OVERPAINT_MODEL")
    ended = overpaint("doctor", "--device", "cpu", "--weights", "int8")
    told = " ".join(ended.out.split())
    assert ended.code == 1
    assert re.search(r"^x\s+resident\s+int8", ended.out, re.MULTILINE)
    assert "problem: --weights (OVERPAINT_WEIGHTS): 'int8' needs torchao; install overpaint[quantised]" in told


def test_what_is_asked_for_is_in_the_flags() -> None:
    from overpaint.cli.fits import flags_of

    best = recommended(placer(16), choices(placer(16)))
    assert best
    asked = ModelConfig("Qwen/Qwen-Image-2.1")
    assert flags_of(best, asked) == "overpaint serve --model Qwen/Qwen-Image-2.1 --memory offload --weights int8"


@pytest.mark.parametrize("card", ["0", "-3", "nan", "inf"])
def test_a_card_of_no_size_is_refused(card: str, overpaint: Overpaint) -> None:
    """0 once told of this machine and of a card at once."""
    ended = overpaint("doctor", "--card", card)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"error: card: {float(card)} must be a number of GiB above 0\n"
