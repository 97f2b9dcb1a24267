"""Weights that come and go: what is there when, how often it came, and that it comes back as it was."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from overpaint.model import hosting
from overpaint.model.hosting import HostedGroup, HostedModule, WeightStream, present, visiting_bytes

_CPU = torch.device("cpu")


def _held(*tensors: Tensor) -> list[int]:
    return [tensor.untyped_storage().nbytes() for tensor in tensors]


def _stream(count: int, *, goes_round: bool) -> tuple[list[Tensor], WeightStream]:
    weights = [torch.full((4, 4), float(index)) for index in range(count)]
    return weights, WeightStream([HostedGroup([weight]) for weight in weights], _CPU, goes_round=goes_round)


def test_a_group_keeps_its_tensors_and_not_their_memory() -> None:
    joined = torch.randn(6, 4)
    upper, lower, other = joined[:2], joined[2:], torch.randn(3)
    before = [tensor.clone() for tensor in (upper, lower, other)]
    group = HostedGroup([upper, lower, other])
    assert group.num_bytes == 4 * (24 + 3)  # what two views share is held once
    assert _held(joined, other) == [0, 0]
    assert upper.shape == (2, 4)
    group.come()
    assert all(torch.equal(now, then) for now, then in zip((upper, lower, other), before, strict=True))


def test_one_group_comes_ahead_and_those_before_go() -> None:
    weights, stream = _stream(4, goes_round=True)
    for index in (0, 1, 2, 3, 0, 1):
        stream.need(index)
        assert torch.equal(weights[index], torch.full((4, 4), float(index)))
        there = {index, (index + 1) % 4}
        assert [number for number, size in enumerate(_held(*weights)) if size] == sorted(there)
    assert stream.num_loads == 4 + 3, "each came once for each time round, and the one ahead"
    assert stream.most_bytes == 2 * 64


def test_an_odd_number_of_groups_goes_round_too() -> None:
    weights, stream = _stream(3, goes_round=True)
    for index in [0, 1, 2] * 3:
        stream.need(index)
        assert torch.equal(weights[index], torch.full((4, 4), float(index)))


def test_asking_again_or_out_of_turn_gives_what_was_asked_for() -> None:
    weights, stream = _stream(5, goes_round=True)
    for index in (0, 0, 3, 1, 4, 4, 2):
        stream.need(index)
        assert torch.equal(weights[index], torch.full((4, 4), float(index)))


def test_a_pass_that_begins_anew_in_the_middle_of_one_has_no_more_there() -> None:
    weights, stream = _stream(6, goes_round=True)
    for index in (0, 1, 2, 3):
        stream.need(index)
    most = 0
    come = HostedGroup.come

    def count(group: HostedGroup) -> None:
        nonlocal most
        come(group)
        most = max(most, sum(_held(*weights)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HostedGroup, "come", count)
        stream.need(0)
    assert most == stream.most_bytes
    assert torch.equal(weights[0], torch.zeros(4, 4))


class _Queue:
    """A stream of work on a device, by its name; what it waits for is written down."""

    def __init__(self, name: str, waits: list[tuple[str, str]]) -> None:
        self.name, self.waits = name, waits

    def wait_event(self, event: str) -> None:
        self.waits.append((self.name, event))

    def wait_stream(self, other: "_Queue") -> None:
        self.waits.append((self.name, other.name))

    def record_event(self) -> str:
        return f"copied on {self.name}"


def test_copies_and_the_computing_on_their_device_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the second card, from a thread whose own device is the first."""
    waits: list[tuple[str, str]] = []

    def current(device: Any = None) -> _Queue:
        return _Queue(f"computing on {device or 'cuda:0'}", waits)

    monkeypatch.setattr(torch.cuda, "current_stream", current)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    monkeypatch.setattr(hosting, "_side_stream", lambda device: _Queue(f"side of {device}", waits))
    groups = [HostedGroup([torch.ones(4)]) for _ in range(3)]
    stream = WeightStream(groups, torch.device("cuda:1"), goes_round=True)
    stream.need(0)
    stream.need(1)
    after_copy = ("computing on cuda:1", "copied on side of cuda:1")
    before_copy = ("side of cuda:1", "computing on cuda:1")
    assert waits == [before_copy, after_copy, before_copy, after_copy, before_copy]


def test_weights_that_cannot_be_pinned_come_from_where_they_can_be_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(num_bytes: int) -> Tensor:
        raise RuntimeError(f"{num_bytes} bytes cannot be pinned")

    class OnCard(Tensor):
        @property
        def device(self) -> torch.device:  # type: ignore[override]
            return torch.device("cuda:0")

    monkeypatch.setattr(hosting, "pinned", refuse)
    hosting._warn_once.cache_clear()
    flats = [torch.arange(8, dtype=torch.uint8).as_subclass(OnCard)]
    for _ in range(2):
        (host,) = hosting._on_host(flats)
        assert torch.equal(host.as_subclass(Tensor), torch.arange(8, dtype=torch.uint8))
    assert caplog.messages == ["weights on the host come to the device slowly: 8 bytes cannot be pinned"]


class _Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.register_buffer("shift", torch.randn(4))
        self.tied = nn.Linear(4, 4, bias=False)
        self.tied.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x) + self.get_buffer("shift")
        for layer in self.layers:
            x = layer(x)
        return self.tied(x)


@torch.inference_mode()
def test_a_hosted_module_computes_the_same_and_is_gone_between_calls() -> None:
    with torch.inference_mode(mode=False):
        net = _Net().requires_grad_(False)
    x = torch.randn(2, 4)
    expected = net(x)
    with torch.inference_mode(mode=False):
        hosted = HostedModule(net, _CPU, list(net.layers))
    tensors = [*net.parameters(), *net.buffers()]
    for _ in range(2):
        assert set(_held(*tensors)) == {0}
        with present(net):
            assert torch.equal(net(x), expected)
            assert sum(_held(*tensors)) <= hosted.most_bytes
    assert set(_held(*tensors)) == {0}
    assert hosted.most_bytes == 4 * (20 + 4) + 2 * 4 * 20  # first and shift (tied is first), and two layers of three
    assert visiting_bytes([nn.ModuleList([net])]) == hosted.most_bytes


def test_a_failed_call_leaves_nothing_behind() -> None:
    net = _Net().requires_grad_(False)
    HostedModule(net, _CPU, list(net.layers))
    with pytest.raises(RuntimeError), present(net):
        net(torch.randn(2, 5))
    assert set(_held(*net.parameters())) == {0}


def test_a_module_that_is_always_there_needs_nothing() -> None:
    net = _Net()
    with present(net):
        assert net(torch.randn(2, 4)).shape == (2, 4)
    assert visiting_bytes([net]) == 0
