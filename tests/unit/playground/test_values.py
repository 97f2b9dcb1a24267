"""The page's plain values: pace and remaining time, differences, forms, minutes, code."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from overpaint.core.errors import RequestError
from overpaint.core.events import Preview, Progress
from overpaint.core.picture import Picture
from overpaint.core.request import AdapterRef
from overpaint.core.result import Timings
from overpaint.core.sizes import Size
from overpaint.core.task import Priority, StoredFile, Task, TaskOutput, TaskSpec, TaskState
from overpaint.playground.difference import compare
from overpaint.playground.earlier import Earlier
from overpaint.playground.estimate import typical
from overpaint.playground.live import Live
from overpaint.playground.operator_view import MINUTES, minutes_of
from overpaint.playground.request_form import Reference, read_form
from overpaint.playground.snippets import SNIPPETS, CodeRequest, snippets_for
from overpaint.service.draft import Draft, PictureFile, PictureUrl
from overpaint.service.watch import Queued

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FILE = StoredFile("outputs/t/0-x.png", "image/png", 9, 64, 48)
VALUES = {
    "prompt": "a cat",
    "rewritten": "",
    "negative": " ",
    "references": {"pictures": [{"key": "uploads/k/1", "url": "/files/x", "name": "a.png", "width": 64, "height": 48}]},
    "model": "qwen-image-2.0",
    "shape": "16:9",
    "width": 640,
    "height": 480,
    "count": 2,
    "lock": False,
    "seed": 5,
    "batch": True,
    "steps": 12,
    "guidance": 2.5,
    "adapters": {"chosen": [{"source": "ink", "scale": 0.5}]},
    "acceleration": "regular",
    "format": "webp",
    "background": "transparent",
}


def finished(seconds: float = 2.0, ago: timedelta = timedelta()) -> Task:
    spec = TaskSpec("qwen-image-2.0", "a cat", 7, steps=10, num_images=2)
    timings = Timings(queue_s=1.0, total_s=1.0 + seconds)
    at = NOW - ago
    return Task(
        "t", "k", "page", spec, TaskState.SUCCEEDED, Priority.INTERACTIVE, 20_000, 1, at - timedelta(seconds=3), at, at,
        outputs=(TaskOutput(FILE, 7), TaskOutput(FILE, 8)), timings=timings,
    )  # fmt: skip


def png(samples: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, "PNG")
    return buffer.getvalue()


def test_the_time_that_is_left_follows_the_pace() -> None:
    live, clock = Live(), iter([10.0, 12.0, 13.0])
    live.hear(Queued(3))
    assert live.position == 3
    for step in (0, 4, 6):
        live.hear(Progress("t", "denoise", step, 12), lambda: next(clock))
    assert live.position is None
    assert live.remaining_s == pytest.approx(6 * 3.0 / 6)


def test_a_run_that_begins_again_forgets_its_pace() -> None:
    live = Live()
    for step, at in ((0, 0.0), (5, 5.0), (0, 9.0)):
        live.hear(Progress("t", "denoise", step, 10), lambda at=at: at)
    assert live.remaining_s is None


def test_looks_are_counted() -> None:
    live = Live()
    for step in (5, 10):
        live.hear(Preview("t", 0, step, Picture(2, 2, "RGB", bytes(12))))
    assert live.num_looks == 2
    assert (live.look or "").startswith("data:image/webp;base64,")


def test_untouched_is_counted_on_the_samples() -> None:
    before = np.full((10, 10, 3), 100, np.uint8)
    after = before.copy()
    after[:2] = 200
    after[2, :5] += 3
    found = compare(png(before), png(after))
    assert (found.share_untouched, found.share_alike, found.is_resized) == (0.75, 0.8, False)
    shown = np.asarray(Image.open(io.BytesIO(found.picture))).astype(int)
    redness = shown[..., 0] - shown[..., 1]
    assert redness[0, 0] > redness[2, 0] > redness[9, 9] == 0


def test_alpha_counts_and_other_sides_are_told() -> None:
    before = np.zeros((4, 4, 4), np.uint8)
    after = before.copy()
    after[0, 0, 3] = 255
    assert compare(png(before), png(after)).share_untouched == 15 / 16
    assert compare(png(np.zeros((8, 8, 3), np.uint8)), png(np.zeros((4, 4, 3), np.uint8))).is_resized


def test_time_is_told_from_the_last_ones() -> None:
    assert typical([], 20) is None
    assert typical([finished(2.0), finished(4.0), finished(40.0)], 20) == pytest.approx(4.0 / 20)


def test_a_form_is_a_draft() -> None:
    draft = read_form(VALUES).draft()
    assert draft.pictures == (PictureFile("uploads/k/1"),)
    assert (draft.size, draft.seed, draft.num_images, draft.steps) == ("16:9", -1, 2, 12)
    assert draft.acceleration == "regular"
    assert draft.adapters == (AdapterRef("ink", 0.5),)
    assert (draft.negative_prompt, draft.priority, draft.enhance) == (None, Priority.BATCH, False)
    assert draft.output.background == "transparent"
    changed = VALUES | {"rewritten": "a fine cat", "lock": True, "shape": "free"}
    draft = read_form(changed).draft()
    assert (draft.prompt, draft.seed, draft.size) == ("a fine cat", 5, "640x480")


@pytest.mark.parametrize("number", [None, "", "7", 2.5, float("nan"), float("inf")])
def test_what_is_no_whole_number_is_told_by_its_field(number: object) -> None:
    with pytest.raises(RequestError, match="steps"):
        read_form(VALUES | {"steps": number})
    assert read_form(VALUES | {"steps": 3.0}).steps == 3


def test_numbers_that_are_not_used_may_be_anything() -> None:
    form = read_form(VALUES | {"seed": None, "width": None, "height": 1.5})
    assert (form.draft().seed, form.draft().size) == (-1, "16:9")
    for name, changed in (("seed", {"seed": None, "lock": True}), ("width", {"width": None, "shape": "free"})):
        with pytest.raises(RequestError, match=name):
            read_form(VALUES | changed)


@pytest.mark.parametrize("scale", [9, None])
def test_a_strength_out_of_bounds_is_told(scale: object) -> None:
    with pytest.raises(RequestError, match="adapters"):
        read_form(VALUES | {"adapters": {"chosen": [{"source": "ink", "scale": scale}]}})


def test_a_task_fills_the_form_and_is_asked_again() -> None:
    task = finished()
    task = replace(task, spec=replace(task.spec, size=Size(320, 200), negative_prompt="dogs"))
    adapters = (AdapterRef("ink", 0.5), AdapterRef("paper", -1.0))
    earlier = Earlier(task, (Reference("", "/files/inputs/x?signature=y"),), None, adapters)
    values = earlier.settings
    assert read_form(VALUES | values).adapters == adapters
    assert (values["shape"], values["width"], values["lock"], values["seed"]) == ("free", 320, True, 7)
    repeated = earlier.again()
    assert repeated.adapters == adapters
    assert repeated.pictures == (PictureUrl("/files/inputs/x?signature=y"),)
    assert (repeated.seed, repeated.size, repeated.negative_prompt) == (-1, Size(320, 200), "dogs")
    shapes = [
        Earlier(replace(task, spec=replace(task.spec, size=size)), (), None, ()).settings["shape"]
        for size in (None, 16 / 9)
    ]
    assert shapes == ["auto", "16:9"]


def test_minutes_count_what_was_finished_in_them() -> None:
    tasks = [finished(ago=timedelta(seconds=5)), finished(ago=timedelta(seconds=70)), finished(ago=timedelta(hours=2))]
    minutes = minutes_of(tasks, NOW)
    assert len(minutes) == MINUTES
    assert [minute["pictures"] for minute in minutes[-2:]] == [2, 2]
    assert sum(minute["pictures"] for minute in minutes) == 4
    assert minutes[-1]["p95"] == 3.0


def test_code_names_what_was_set_and_the_key_only_when_asked() -> None:
    draft = Draft("qwen-image-2.0", 'a "cat" isn\'t', size="640x480", steps=9)
    request = CodeRequest(draft, "http://localhost:8000", ("http://localhost:8000/files/x?a=1&b=2",))
    for snippet in SNIPPETS:
        code = snippet.render(request)
        assert "cat" in code
        assert "http://localhost:8000" in code
        assert "OVERPAINT_KEY" in code, snippet.name
        assert "op_secret" in snippet.render(replace(request, key="op_secret"))
        if snippet.language == "python":
            compile(code, snippet.name, "exec")


def test_what_a_client_cannot_say_is_told_in_its_code() -> None:
    draft = Draft("qwen-image-2.0", "a cat", num_images=3)
    snippet = next(snippet for snippet in SNIPPETS if snippet.name == "wavespeed")
    told = snippet.render(CodeRequest(draft, "http://x", ("http://x/a",), mask="http://x/m")).splitlines()[0]
    assert told == "# This API has no words for: mask, num_images."
    assert "no words" not in snippet.render(CodeRequest(replace(draft, num_images=1), "http://x"))


def test_code_names_the_adapters_as_far_as_its_dialect_can() -> None:
    one, two = AdapterRef("ink", 0.5), AdapterRef("paper", -1.0)
    snippets = {snippet.name: snippet for snippet in SNIPPETS}

    def code(name: str, *adapters: AdapterRef, mask: str | None = None) -> str:
        draft = Draft("qwen-image-2.0", "a cat", adapters=adapters)
        return snippets[name].render(CodeRequest(draft, "http://x", ("http://x/a",), mask=mask))

    for name in snippets:
        assert "ink" in code(name, one)
        assert "no words" not in code(name, one)
        assert "lora" not in code(name)
        assert "adapters" not in code(name)
    for name in ("curl", "javascript", "wavespeed"):
        assert "paper" in code(name, one, two)
    assert "fal-ai/qwen-image-edit-plus-lora" in code("fal", one)
    for unsaid in (code("fal", one, two), code("fal", one, mask="http://x/m"), code("openai", one, two)):
        assert unsaid.startswith("# This API has no words for: adapters.")
        assert "lora" not in unsaid


def test_only_dialects_that_are_spoken_have_code() -> None:
    assert {snippet.dialect for snippet in snippets_for(frozenset({"native"}))} == {"native"}
