"""Adapters on a device: who waits for room, who gives it, and what a file that does not fit costs."""

import threading
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overpaint.core.config import EngineConfig
from overpaint.core.errors import OversizeError, RequestError, TaskError
from overpaint.core.events import Failed, Finished
from overpaint.core.request import AdapterFile, GenerationRequest
from overpaint.core.result import GenerationResult
from overpaint.engine.adapter_shelf import AdapterShelf, Reservation
from overpaint.engine.job import AdapterUse
from overpaint.engine.local import LocalEngine
from overpaint.model.checkpoint import Checkpoint
from overpaint.model.lora import Adapter, LowRank
from tests.reference.loras import adapter, write_lora

Open = Callable[..., LocalEngine]


@pytest.fixture(scope="module")
def files(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> list[AdapterFile]:
    folder = tmp_path_factory.mktemp("loras")
    linears = checkpoint.info.linears
    return [adapter(write_lora(folder / f"{seed}.safetensors", linears, seed=seed)) for seed in range(4)]


@pytest.fixture(scope="module")
def file_bytes(files: list[AdapterFile]) -> int:
    """What one of them takes on the device: fp32, as in the file, without its header."""
    header = int.from_bytes(Path(files[0].path).read_bytes()[:8], "little")
    return Path(files[0].path).stat().st_size - 8 - header


def request(*adapters: AdapterFile, steps: int = 2, seed: int = 1) -> GenerationRequest:
    return GenerationRequest("a cat", seed=seed, steps=steps, adapters=adapters)


def result_of(engine: LocalEngine, task_id: str) -> GenerationResult:
    last = list(engine.events(task_id))[-1]
    assert isinstance(last, Finished), last
    return last.result


def is_alike(one: bytes, other: bytes) -> bool:
    """Whether pixels are the same but for rounding, which company changes."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= 2


def assert_nothing_is_held(engine: LocalEngine) -> None:
    assert engine.wait_idle(20)
    engine.check_integrity()


def test_every_task_paints_with_its_own_however_little_room_there_is(
    checkpoint: Checkpoint, files: list[AdapterFile], file_bytes: int
) -> None:
    asked = [(), (files[0],), (files[1],), (files[0], files[1]), (files[2],), (files[3],), (files[0],)]
    pictures: dict[int, list[bytes]] = {}
    for budget in (2 * file_bytes, 100 * file_bytes):
        engine = LocalEngine(checkpoint, EngineConfig(tick_tokens=10_000, adapter_bytes=budget))
        for index, adapters in enumerate(asked):
            engine.submit(str(index), request(*adapters))
        pictures[budget] = [result_of(engine, str(index)).images[0].picture.data for index in range(len(asked))]
        assert_nothing_is_held(engine)
        assert engine._wheel.painter.adapters.placed_bytes <= budget
        engine.close()
    tight, roomy = pictures.values()
    for (mine, one), (others, other) in product(zip(asked, tight, strict=True), zip(asked, roomy, strict=True)):
        assert is_alike(one, other) == (mine == others)
    assert is_alike(tight[1], tight[6])


def test_who_waits_for_room_can_be_cancelled_and_others_pass(
    checkpoint: Checkpoint, files: list[AdapterFile], file_bytes: int
) -> None:
    engine = LocalEngine(checkpoint, EngineConfig(tick_tokens=10_000, adapter_bytes=file_bytes))
    engine.submit("holds", request(files[0], steps=200))
    engine.submit("waits", request(files[1]))
    engine.submit("behind", request(files[2]))
    engine.submit("passes", request())
    assert result_of(engine, "passes")
    assert engine.stats.num_waiting >= 2
    engine.cancel("waits")
    assert isinstance(list(engine.events("waits"))[-1], Failed)
    engine.submit("waits", request(files[1]))  # its id is free again
    engine.cancel("holds")
    assert result_of(engine, "behind")
    assert result_of(engine, "waits")
    assert_nothing_is_held(engine)
    engine.close()


def test_a_file_that_does_not_fit_is_refused_when_it_is_given_and_nothing_is_held(
    engine: LocalEngine, checkpoint: Checkpoint, files: list[AdapterFile], tmp_path: Path
) -> None:
    linears = {name: (outputs, inputs + 1) for name, (outputs, inputs) in checkpoint.info.linears.items()}
    wrong = adapter(write_lora(tmp_path / "wrong.safetensors", linears, seed=1))
    with pytest.raises(RequestError, match=r"adapters\[1\]: 'wrong' has .* it must be") as refusal:
        engine.submit("it", request(files[0], wrong))
    assert refusal.value.field == "adapters[1]"
    with pytest.raises(RequestError, match=r"gone.*cannot be read"):
        engine.submit("it", request(AdapterFile("gone", "0f", str(tmp_path / "gone"))))
    engine.submit("it", request(files[0]))
    assert result_of(engine, "it")
    assert_nothing_is_held(engine)


def test_more_than_the_device_keeps_for_adapters_is_refused_for_good(
    checkpoint: Checkpoint, files: list[AdapterFile], file_bytes: int
) -> None:
    engine = LocalEngine(checkpoint, EngineConfig(tick_tokens=10_000, adapter_bytes=file_bytes))
    with pytest.raises(OversizeError, match="MiB do not fit"):
        engine.submit("it", request(files[0], files[1]))
    assert_nothing_is_held(engine)
    engine.close()


def test_an_id_that_is_taken_costs_its_owner_nothing(engine: LocalEngine, files: list[AdapterFile]) -> None:
    engine.submit("it", request(files[0], steps=20))
    with pytest.raises(TaskError):
        engine.submit("it", request(files[1]))
    assert result_of(engine, "it")
    assert_nothing_is_held(engine)


def test_many_threads_with_many_adapters_leave_nothing_behind(
    checkpoint: Checkpoint, files: list[AdapterFile], file_bytes: int
) -> None:
    engine = LocalEngine(checkpoint, EngineConfig(tick_tokens=10_000, adapter_bytes=2 * file_bytes))

    def call(caller: int) -> None:
        for turn in range(4):
            task_id = f"{caller}/{turn}"
            engine.submit(task_id, request(files[(caller + turn) % 4], files[turn % 4], seed=caller))
            if (caller + turn) % 3 == 0:
                engine.cancel(task_id)
            list(engine.events(task_id))

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert_nothing_is_held(engine)
    engine.close()


def sized(num_bytes: int) -> Adapter:
    return Adapter({"layer": LowRank(torch.zeros(num_bytes - 1, dtype=torch.uint8), torch.zeros(1, dtype=torch.uint8))})


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ose"), st.sets(st.integers(0, 5), min_size=1, max_size=3)), max_size=60))
def test_whatever_comes_and_goes_the_budget_is_kept_and_the_first_always_gets_room(
    turns: list[tuple[str, set[int]]],
) -> None:
    shelf = AdapterShelf(lambda file: sized(10 + int(file.digest)), torch.device("cpu"), budget_bytes=45)
    waiting: list[Reservation] = []
    placed: list[Reservation] = []
    for turn, numbers in turns:
        if turn == "o":
            waiting.append(shelf.open([AdapterFile(str(n), str(n), "") for n in numbers]))
        elif turn == "s" and waiting and shelf.has_room(waiting[0]):
            shelf.place(waiting[0])
            placed.append(waiting.pop(0))
        elif turn == "e" and placed:
            shelf.release(placed.pop(min(numbers) % len(placed)))
        shelf.check_integrity()
        for one in placed:
            assert len(shelf.mix([AdapterUse(digest, 1.0) for digest in one.digests])) == len(one.digests)
    for one in placed:
        shelf.release(one)
    for one in waiting:
        assert shelf.has_room(one), "nobody runs, so the first must get what it needs"
        shelf.place(one)
        shelf.release(one)
    shelf.check_integrity()
