"""Devices and their memory, on CUDA made of numbers: what counts as free, what is pinned, what `auto` means."""

from contextlib import nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from overpaint.core import SettingError
from overpaint.model import device as device_module
from overpaint.model.device import free_bytes, move, pinned, resolve_device, resolve_dtype, use_device, wait_for

GIB = 2**30
PAGE = 4096
_SECOND = torch.device("cuda:1")


@dataclass
class Card:
    """A card of 24 GiB of which PyTorch holds some, a part of it for later."""

    live: int = 13 * GIB
    cached: int = 6 * GIB

    def empty_cache(self) -> None:
        self.cached = 0

    def mem_get_info(self, _: Any) -> tuple[int, int]:
        return 24 * GIB - self.live - self.cached, 24 * GIB

    def memory_reserved(self, _: Any) -> int:
        return self.live + self.cached


@dataclass
class Runtime:
    """The two calls of CUDA's runtime that pin memory, and what is pinned."""

    failure: int = 0
    there: dict[int, int] = field(default_factory=dict)

    def cudaHostRegister(self, address: int, num_bytes: int, flags: int) -> int:  # noqa: N802
        assert flags == 1
        if not self.failure:
            assert address not in self.there
            self.there[address] = num_bytes
        return self.failure

    def cudaHostUnregister(self, address: int) -> int:  # noqa: N802
        del self.there[address]
        return 0


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    it = Runtime()
    monkeypatch.setattr(torch.cuda, "cudart", lambda: it)
    return it


@pytest.mark.parametrize(("share", "free"), [(1.0, 11 * GIB), (0.75, 5 * GIB)])
def test_what_pytorch_keeps_for_later_counts_as_free(share: float, free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    card, meant = Card(), list[torch.device]()
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext(meant.append(device)))
    for name in ("empty_cache", "mem_get_info", "memory_reserved"):
        monkeypatch.setattr(torch.cuda, name, getattr(card, name))
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda _: share)
    assert free_bytes(_SECOND) == free
    assert meant == [_SECOND]


@pytest.mark.parametrize(
    ("capability", "dtype"),
    [((7, 0), torch.float32), ((7, 5), torch.float32), ((8, 0), torch.bfloat16), ((12, 0), torch.bfloat16)],
)
def test_a_card_that_emulates_bfloat16_gets_float32(
    capability: tuple[int, int], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)  # as PyTorch says of all of them
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (asked.append(device), capability)[1])
    assert resolve_dtype("auto", _SECOND) == dtype
    assert asked == [_SECOND]


def test_pinned_memory_takes_what_it_holds_and_is_let_go_with_its_last_part(runtime: Runtime) -> None:
    whole = pinned(5 * PAGE + 1)
    assert (whole.shape, whole.dtype) == ((5 * PAGE + 1,), torch.uint8)
    ((address, num_bytes),) = runtime.there.items()
    assert (address, num_bytes) == (whole.data_ptr(), 5 * PAGE + 1)
    assert address % PAGE == 0, "no other memory shares its pages"
    part = whole[PAGE:].view(torch.int8)
    del whole
    assert runtime.there
    assert part.fill_(3).sum() == 3 * (4 * PAGE + 1)
    del part
    assert not runtime.there


def test_what_cannot_be_pinned_is_an_error_that_nothing_else_is_blamed_for(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[str] = []

    def launch(_: int, device: str) -> None:
        launched.append(device)
        raise RuntimeError("CUDA error: out of memory")  # what it says of the call before

    monkeypatch.setattr(device_module.torch, "zeros", launch)
    runtime.failure = 2
    with pytest.raises(RuntimeError, match="12288 bytes of the host's memory cannot be pinned: CUDA error 2"):
        pinned(3 * PAGE)
    assert launched == ["cuda"]
    assert not runtime.there


class _OnCard(torch.Tensor):
    """A tensor that says it is on a card."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return _SECOND


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.int8])
def test_a_tensor_comes_to_the_host_in_pinned_memory_of_its_size(runtime: Runtime, dtype: torch.dtype) -> None:
    rows = torch.arange(7 * 3 * 5).reshape(7, 3, 5).to(dtype)
    moved = move(rows.as_subclass(_OnCard), torch.device("cpu"))
    assert torch.equal(moved.as_subclass(torch.Tensor), rows)
    assert list(runtime.there.values()) == [rows.nbytes]
    assert move(torch.zeros(0, 3).as_subclass(_OnCard), torch.device("cpu")).shape == (0, 3)


def test_a_thread_is_told_its_device_where_there_are_several(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", told.append)
    for name in ("cpu", "cuda:0", "cuda:1"):
        use_device(torch.device(name))
    assert told == [torch.device("cuda:0"), _SECOND]


def test_what_is_queued_on_a_device_is_waited_for_there(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[str] = []
    monkeypatch.setattr(
        torch.cuda, "current_stream", lambda device: SimpleNamespace(synchronize=lambda: waited.append(str(device)))
    )
    monkeypatch.setattr(torch.mps, "synchronize", lambda: waited.append("mps"))
    for name in ("cpu", "cuda:1", "mps"):
        wait_for(torch.device(name))
    assert waited == ["cuda:1", "mps"]


@pytest.mark.parametrize(("name", "device"), [("auto", "cuda:0"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1")])
def test_a_card_has_a_number_for_what_takes_none_without(
    name: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    found = resolve_device(name)
    assert found == torch.device(device)
    # What `get_per_process_memory_fraction` does with a device before it asks CUDA.
    assert torch.cuda._utils._get_device_index(found) == found.index


@pytest.mark.parametrize(
    ("name", "says"), [("cuda:x", "is no device"), ("cuda:2", "is not there"), ("cuda:-1", "is no device")]
)
def test_a_card_that_is_none_is_told_before_anything_is_loaded(
    name: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == _SECOND
    with pytest.raises(SettingError, match=f"device: '{name}' {says}"):
        resolve_device(name)
