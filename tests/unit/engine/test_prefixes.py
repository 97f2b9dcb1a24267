"""Who makes pictures ready, how much of that is held, and what is left for the engine's thread in one tick."""

import gc
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from overpaint.core.picture import Picture
from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import fit_area
from overpaint.engine import ready_pictures
from overpaint.engine.job import JobPlanner, PrefixSpec
from overpaint.engine.limits import Limits
from overpaint.engine.local import LocalEngine
from overpaint.engine.painter import Painter
from overpaint.engine.plan import PrefixWork
from overpaint.model.checkpoint import Checkpoint
from overpaint.model.conditioner import Condition, Conditioner, Prompt
from overpaint.model.references import ReadyReference, Reference
from overpaint.model.vae import PictureCodec
from tests.parity.ours import Bench
from tests.reference.pictures import make_picture

_PICTURES = tuple(make_picture(80, 60, seed=seed) for seed in range(3))
_EDIT = GenerationRequest("make it red", pictures=_PICTURES, steps=2, seed=1)


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Picture, str]]:
    """Every picture that is made ready, and the thread that does it."""
    seen: list[tuple[Picture, str]] = []
    prepare = Conditioner.prepare

    def note(self: Conditioner, reference: Reference) -> ReadyReference:
        seen.append((reference.picture, threading.current_thread().name))
        return prepare(self, reference)

    monkeypatch.setattr(Conditioner, "prepare", note)
    return seen


def _spec(painter: Painter, checkpoint: Checkpoint, pictures: Sequence[Picture]) -> PrefixSpec:
    planner = JobPlanner(checkpoint.info, painter.conditioner.count_tokens)
    return planner.plan("t", replace(_EDIT, pictures=tuple(pictures))).prefixes[0]


def _places(painter: Painter) -> int:
    return sum(len(places) for places in painter.prefixes._ready._places.values())


def test_pictures_are_made_ready_by_who_submits_them(
    engine: LocalEngine, prepared: list[tuple[Picture, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    resized: list[str] = []
    monkeypatch.setattr(Reference, "rgba", _noting(Reference.rgba, resized))
    engine.submit("t", replace(_EDIT, negative_prompt="dull", true_cfg_scale=2.0))
    list(engine.events("t"))
    assert prepared == [(picture, threading.current_thread().name) for picture in _PICTURES]
    assert set(resized) == {threading.current_thread().name}


def _noting(resize: Any, threads: list[str]) -> property:
    def rgba(reference: Reference) -> Any:
        threads.append(threading.current_thread().name)
        return resize.func(reference)

    return property(rgba)


def test_pictures_that_stand_are_not_made_ready_again(engine: LocalEngine, prepared: list[tuple[Picture, str]]) -> None:
    other = make_picture(60, 80, seed=9)
    for task_id, request in (("a", _EDIT), ("b", replace(_EDIT, prompt="blue", pictures=(*_PICTURES, other)))):
        engine.submit(task_id, request)
        list(engine.events(task_id))
    assert [picture for picture, _ in prepared] == [*_PICTURES, other]


def test_pictures_that_wait_ready_are_not_made_ready_for_another_prefix(
    checkpoint: Checkpoint, prepared: list[tuple[Picture, str]]
) -> None:
    painter = Painter(checkpoint)
    specs = [_spec(painter, checkpoint, _PICTURES) for _ in range(2)]
    for spec in specs:
        painter.prefixes.prepare(spec)
    assert len(prepared) == len(_PICTURES)


def test_what_is_ready_goes_when_it_is_read_or_nobody_wants_it_any_more(checkpoint: Checkpoint) -> None:
    painter = Painter(checkpoint)
    read, dropped = (_spec(painter, checkpoint, pictures) for pictures in (_PICTURES[:1], _PICTURES[1:]))
    for spec in (read, dropped):
        painter.prefixes.prepare(spec)
    assert _places(painter) == 3
    painter.prefixes.begin(read)
    assert _places(painter) == 2
    del spec, dropped
    gc.collect()
    assert _places(painter) == 0


def test_what_is_ready_takes_no_more_than_its_room(
    checkpoint: Checkpoint, prepared: list[tuple[Picture, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    area = fit_area(checkpoint.info.reference_area, _PICTURES[0].aspect).area
    monkeypatch.setattr(ready_pictures, "_READY_PIXELS", 2 * area)
    painter = Painter(checkpoint)
    spec = _spec(painter, checkpoint, _PICTURES)
    painter.prefixes.prepare(spec)
    assert [picture for picture, _ in prepared] == list(_PICTURES[:2])
    painter.prefixes.begin(spec)
    painter.prefixes.read(PrefixWork(spec, 10_000))
    assert [picture for picture, _ in prepared] == list(_PICTURES)


def test_a_picture_that_cannot_be_made_ready_is_told_by_the_engine(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> ReadyReference:
        raise ValueError("no such grid")

    monkeypatch.setattr(Conditioner, "prepare", fail)
    engine.submit("t", _EDIT)
    *_, last = engine.events("t")
    assert "no such grid" in str(getattr(last, "error", last))


def test_a_tick_reads_no_more_pictures_than_its_chunk_runs(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(checkpoint, Limits(prefill_tokens=1))
    encoded: Counter[int] = Counter()
    looked_at: Counter[int] = Counter()
    encode, look, ticks = PictureCodec.encode, Conditioner.encode, 0

    def note(self: PictureCodec, samples: torch.Tensor) -> torch.Tensor:
        encoded[ticks] += 1
        return encode(self, samples)

    def note_look(self: Conditioner, prompt: Prompt, patches: Any, *known: Any, has_words: bool) -> Condition:
        looked_at[ticks] += len(patches)
        return look(self, prompt, patches, *known, has_words=has_words)

    monkeypatch.setattr(PictureCodec, "encode", note)
    monkeypatch.setattr(Conditioner, "encode", note_look)
    bench.submit("t", _EDIT)
    while bench.tick().prefill:
        ticks += 1
    bench.run()
    assert sorted(encoded.values()) == [1] * len(_PICTURES)
    assert sorted(looked_at.values()) == [0] + [1] * len(_PICTURES)  # the words at last


def test_pictures_made_ready_beforehand_are_the_same_to_the_bit(checkpoint: Checkpoint) -> None:
    latents: list[torch.Tensor] = []
    for is_ready in (False, True):
        bench = Bench(checkpoint)
        if not is_ready:
            bench.painter.prefixes.prepare = lambda spec: None  # noqa: ARG005
        bench.submit("t", _EDIT)
        bench.run()
        latents += bench.painted("t").latents
    assert torch.equal(*latents)
