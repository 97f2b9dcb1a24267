"""`overpaint batch`, from a file of jobs to the pictures and what is noted of them."""

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest
from PIL import Image

from overpaint.cli.batch.jobs import BatchJob, JobReader
from overpaint.cli.batch.ledger import Ledger
from overpaint.cli.batch.run import MOST_FAILURES, BatchRun
from overpaint.core.errors import BackendError, OverpaintError
from overpaint.core.events import Event
from overpaint.core.request import AdapterFile, OutputSpec
from overpaint.engine.null import NullEngine
from overpaint.images.metadata import read_recipe
from tests.reference.lora_bytes import lora_bytes
from tests.unit.cli.conftest import Overpaint


def write_jobs(*jobs: object) -> None:
    """`jobs.jsonl`, a text as it stands and anything else as JSON."""
    lines = [job if isinstance(job, str) else json.dumps(job) for job in jobs]
    Path("jobs.jsonl").write_text("\n".join(lines) + "\n", "utf-8")


def results() -> list[dict[str, object]]:
    return [json.loads(line) for line in Path("out/results.jsonl").read_text("utf-8").splitlines()]


def test_every_job_leaves_its_pictures_and_a_line(overpaint: Overpaint, picture: Path) -> None:
    write_jobs(
        {"id": "red", "prompt": "make it red", "images": picture.name, "seed": 4, "format": "webp"},
        "",
        {"prompt": "a cat", "num_images": 2, "seed": 7, "size": "256x128", "steps": 3},
    )
    ended = overpaint("batch", "jobs.jsonl", "-o", "out", "--format", "jpeg")
    assert (ended.code, ended.out, ended.err) == (0, "out  2 done, 0 failed\n", "")
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "000003-1.jpg",
        "000003-2.jpg",
        "red.webp",
        "results.jsonl",
    ]
    by_id = {entry["id"]: entry for entry in results()}
    assert by_id["000003"]["files"] == ["000003-1.jpg", "000003-2.jpg"]
    assert (by_id["000003"]["seeds"], by_id["000003"]["size"]) == ([7, 8], "256x128")
    with Image.open("out/red.webp") as image:
        recipe = read_recipe(image)
        assert image.width / image.height == pytest.approx(2, rel=0.05)
    assert recipe is not None
    assert (recipe.prompt, recipe.seed) == ("make it red", 4)


def test_a_job_paints_what_the_same_command_paints(overpaint: Overpaint, picture: Path) -> None:
    write_jobs({"id": "a", "prompt": "make it red", "images": [picture.name], "seed": 4})
    overpaint("batch", "jobs.jsonl", "-o", "out")
    overpaint("edit", "make it red", "-i", picture.name, "-o", "b.png", "--seed", "4")
    assert Path("out/a.png").read_bytes() == Path("b.png").read_bytes()


def test_the_same_command_goes_on_with_what_is_not_done(overpaint: Overpaint) -> None:
    write_jobs({"id": "kept", "prompt": "a"}, {"id": "changed", "prompt": "b"}, {"id": "lost", "prompt": "c"})
    overpaint("batch", "jobs.jsonl", "-o", "out")
    kept = Path("out/kept.png").read_bytes()
    Path("out/lost.png").unlink()
    write_jobs({"id": "kept", "prompt": "a"}, {"id": "changed", "prompt": "d"}, {"id": "lost", "prompt": "c"})
    assert overpaint("batch", "jobs.jsonl", "-o", "out").out == "out  2 done, 1 before, 0 failed\n"
    assert [entry["id"] for entry in results()][3:] in (["changed", "lost"], ["lost", "changed"])
    assert Path("out/kept.png").read_bytes() == kept
    assert overpaint("batch", "jobs.jsonl", "-o", "out").out == "out  0 done, 3 before, 0 failed\n"


def test_what_cannot_be_done_costs_no_other_job_and_is_tried_again(overpaint: Overpaint) -> None:
    Path("broken.png").write_bytes(b"no picture")
    write_jobs({"id": "bad", "prompt": "a", "images": "broken.png"}, {"id": "good", "prompt": "b"})
    ended = overpaint("batch", "jobs.jsonl", "-o", "out")
    assert (ended.code, ended.out) == (1, "out  1 done, 1 failed\n")
    assert ended.err == "error: bad: images[0]: 'broken.png' must be a JPEG, PNG, WebP or GIF picture\n"
    [bad] = [entry for entry in results() if entry["id"] == "bad"]
    assert (bad["state"], bad["error"]["code"]) == ("failed", "invalid_picture")  # pyright: ignore[reportIndexIssue]
    Image.new("RGB", (64, 64)).save("broken.png")
    assert overpaint("batch", "jobs.jsonl", "-o", "out").out == "out  1 done, 1 before, 0 failed\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: line: '{' must be one JSON object"),
        ('["a cat"]', "line 2: line: "),
        ({"prompt": "a", "promt": 1}, "line 2: promt: 1 is no field of a job; those are prompt, id, images"),
        ({"images": []}, "line 2: prompt: None is missing; say what to paint"),
        ({"prompt": " "}, "line 2: prompt: ' ' must not be blank"),
        ({"prompt": "a", "seed": "1"}, "line 2: seed: '1' cannot be taken: input should be a valid integer"),
        ({"prompt": "a", "seed": -2}, "line 2: seed: -2 must be 0 to 2147483647, or -1 for a fresh one"),
        ({"prompt": "a", "size": "huge"}, "line 2: size: 'huge' must be"),
        ({"prompt": "a", "format": "tiff"}, "line 2: format: 'tiff' must be one of png, jpeg, webp"),
        ({"prompt": "a", "images": ["gone.png"]}, "line 2: images[0]: 'gone.png' is no file; it is looked for in '.'"),
        ({"prompt": "a", "images": [1]}, "line 2: images[0]: 1 cannot be taken"),
        ({"prompt": "a", "images": ["in.png"] * 11}, "line 2: images: "),
        ({"prompt": "a", "mask": "in.png"}, "line 2: mask: 'in.png' needs a picture to mask"),
        ({"prompt": "a", "loras": {"gone": 1}}, "line 2: lora: 'gone' is no file here"),
        ({"prompt": "a", "id": "../a"}, "line 2: id: '../a' must be 1 to 60 letters"),
        ({"prompt": "a", "id": ""}, "line 2: id: '' must be 1 to 60 letters"),
        ({"prompt": "a", "id": "FIRST"}, "line 2: id: 'FIRST' would overwrite 'FIRST.png' of line 1"),
    ],
)
def test_a_line_that_breaks_a_rule_is_told_before_anything_is_painted(
    overpaint: Overpaint, picture: Path, line: object, said: str
) -> None:
    assert picture.exists()
    write_jobs({"id": "first", "prompt": "a"}, line)
    ended = overpaint("batch", "jobs.jsonl", "-o", "out")
    assert ended.code == 2
    assert ended.err.startswith(f"error: jobs.jsonl, {said}")
    assert ended.err.endswith("error: jobs: 'jobs.jsonl' has a line that cannot be done; nothing was painted\n")
    assert not Path("out").exists()


def test_numbered_files_of_one_job_are_not_those_of_another(overpaint: Overpaint) -> None:
    write_jobs({"id": "a", "prompt": "a", "num_images": 2}, {"id": "a-2", "prompt": "b"})
    assert "line 2: id: 'a-2' would overwrite 'a-2.png' of line 1" in overpaint("batch", "jobs.jsonl", "-o", "out").err


def test_no_result_goes_where_a_picture_lies_that_is_read(overpaint: Overpaint, picture: Path) -> None:
    before = picture.read_bytes()
    write_jobs({"id": "in", "prompt": "a", "images": "in.png"})
    assert "would overwrite 'in.png', which a job reads" in overpaint("batch", "jobs.jsonl", "-o", ".").err
    assert picture.read_bytes() == before


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_a_file_without_jobs_is_told(overpaint: Overpaint, content: str) -> None:
    Path("jobs.jsonl").write_text(content)
    ended = overpaint("batch", "jobs.jsonl", "-o", "out")
    assert (ended.code, ended.err) == (2, "error: jobs: 'jobs.jsonl' holds no job\n")


def test_a_missing_file_and_one_in_another_encoding_are_told(overpaint: Overpaint) -> None:
    assert "error: jobs: 'gone.jsonl' cannot be read" in overpaint("batch", "gone.jsonl", "-o", "out").err
    Path("utf16.jsonl").write_text('{"prompt": "a"}', "utf-16")
    assert overpaint("batch", "utf16.jsonl", "-o", "out").err == "error: jobs: 'utf16.jsonl' must be UTF-8\n"


def test_jobs_come_from_standard_input_too(overpaint: Overpaint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"id": "猫", "prompt": "a cat"}'))
    assert overpaint("batch", "-", "-o", "out").code == 0
    assert Path("out/猫.png").exists()


def test_adapters_lie_beside_the_file_of_jobs(overpaint: Overpaint) -> None:
    Path("jobs").mkdir()
    Path("jobs/pencil.safetensors").write_bytes(lora_bytes({"transformer_blocks.0.attn.to_q": (8, 8)}))
    Path("jobs/all.jsonl").write_text('{"id": "a", "prompt": "a", "loras": {"pencil.safetensors": 0.5}}')
    assert overpaint("batch", "jobs/all.jsonl", "-o", "out").code == 0
    with Image.open("out/a.png") as image:
        recipe = read_recipe(image)
    assert recipe is not None
    assert recipe.adapters[0].startswith("pencil:0.5:")


def test_a_line_torn_by_a_crash_is_done_again_and_spoils_no_other(overpaint: Overpaint) -> None:
    write_jobs({"id": "a", "prompt": "a"}, {"id": "b", "prompt": "b"})
    overpaint("batch", "jobs.jsonl", "-o", "out")
    path = Path("out/results.jsonl")
    path.write_bytes(path.read_bytes()[:-20])
    assert overpaint("batch", "jobs.jsonl", "-o", "out").out == "out  1 done, 1 before, 0 failed\n"
    assert overpaint("batch", "jobs.jsonl", "-o", "out").out == "out  0 done, 2 before, 0 failed\n"


def test_one_batch_writes_to_a_folder_at_a_time(overpaint: Overpaint) -> None:
    write_jobs({"id": "a", "prompt": "a"})
    with Ledger(Path("out")):
        ended = overpaint("batch", "jobs.jsonl", "-o", "out")
    assert (ended.code, ended.err) == (2, "error: output: another batch is writing to 'out'\n")
    assert overpaint("batch", "jobs.jsonl", "-o", "out").code == 0


@pytest.mark.parametrize("number", ["0", "65"])
def test_jobs_at_once_have_bounds(overpaint: Overpaint, number: str) -> None:
    write_jobs({"prompt": "a"})
    ended = overpaint("batch", "jobs.jsonl", "-o", "out", "--at-once", number)
    assert (ended.code, ended.err) == (2, f"error: at_once: {number} must be 1 to 64\n")


def no_lora(source: str, scale: float) -> AdapterFile:
    raise AssertionError((source, scale))


def jobs_of(count: int) -> list[BatchJob]:
    reader = JobReader(Path(), OutputSpec(), no_lora)
    return [reader.read(number, '{"prompt": "a"}') for number in range(1, count + 1)]


def test_jobs_are_in_the_engine_at_once(tmp_path: Path) -> None:
    meeting = Barrier(3)

    class Meeting(NullEngine):
        """Ends no task before three are there."""

        def events(self, task_id: str) -> Iterator[Event]:
            meeting.wait(timeout=30)
            return super().events(task_id)

    engine = Meeting()
    with Ledger(tmp_path) as ledger:
        BatchRun(engine, ledger, tmp_path, 3, lambda *_: None).run(jobs_of(6))
    engine.close()
    assert (ledger.num_done, ledger.num_failed) == (6, 0)


def test_a_machine_that_fails_again_and_again_is_left_alone(tmp_path: Path) -> None:
    tried: list[str] = []

    class Failing(NullEngine):
        def submit(self, task_id: str, *_: object, **__: object) -> None:
            tried.append(task_id)
            raise BackendError("the device is gone")

    told: list[OverpaintError | None] = []
    with Ledger(tmp_path) as ledger:
        run = BatchRun(Failing(), ledger, tmp_path, 1, lambda _, error: told.append(error))
        with pytest.raises(BackendError, match="stopped after 3 failures in a row; the last one: the device is gone"):
            run.run(jobs_of(20))
    assert len(told) == MOST_FAILURES
    assert len(tried) < 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_batch_that_is_ended_goes_on_where_it_was(
    overpaint: Overpaint, tmp_path: Path, number: signal.Signals
) -> None:
    write_jobs(*({"id": f"job-{i}", "prompt": "a", "seed": i, "steps": 2} for i in range(12)))
    command = [sys.executable, "-m", "overpaint", "batch", "jobs.jsonl", "-o", "out", "--model", "null:0.1"]
    # Whoever runs the tests in the background has its programs ignore Ctrl-C.
    listens = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(
        [*command, "--at-once", "2"], cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=listens
    )
    path, deadline = Path("out/results.jsonl"), time.monotonic() + 60
    while not (path.exists() and path.read_bytes().count(b"\n") >= 2) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    done = len(results())
    assert 2 <= done < 12
    if number is signal.SIGINT:
        assert process.returncode == 130
        assert err == f"error: interrupted; {done} of 12 jobs are done, and the same command goes on with the others\n"
    assert overpaint("batch", "jobs.jsonl", "-o", "out").out == f"out  {12 - done} done, {done} before, 0 failed\n"
    assert {entry["id"] for entry in results()} == {f"job-{i}" for i in range(12)}
    assert not list(Path("out").glob("*.part")) or number is signal.SIGKILL
