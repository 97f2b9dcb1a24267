"""Weights that live on the host and come to the device for as long as they are multiplied with.

A weight keeps its tensor, its shape and its device; only the memory under it comes and goes, so whoever computes with
it need not know. Groups that are used in turn come one ahead: on CUDA from pinned memory, on a stream of their own,
while the group before is in use. Knows modules and tensors, and nothing of what they compute.

Source of the idea of resizing storages: FSDP of PyTorch.
"""

import logging
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from overpaint.model.device import pinned

_log = logging.getLogger(__name__)


class HostedGroup:
    """Weights that come and go together; they are gone at first.

    Args:
        tensors: on the device where they will be used, memory of their own under them.
    """

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        flats = {flat.data_ptr(): flat for tensor in tensors for flat in _flats_of(tensor)}
        self._flats = list(flats.values())
        self._host = _on_host(self._flats)
        self.leave()

    @property
    def num_bytes(self) -> int:
        """Bytes on the device while it is there."""
        return sum(host.nbytes for host in self._host)

    def come(self) -> None:
        """Take memory on the device and fill it, in the order of the current stream."""
        for flat, host in zip(self._flats, self._host, strict=True):
            flat.untyped_storage().resize_(host.nbytes)
            flat.copy_(host, non_blocking=True)

    def leave(self) -> None:
        """Give the memory on the device back."""
        for flat in self._flats:
            flat.untyped_storage().resize_(0)


class WeightStream:
    """Groups that are used one after the other, of which at most two are on the device.

    Args:
        groups: in the order of their use.
        device: where they are used.
        goes_round: whether the first is used again after the last.
    """

    def __init__(self, groups: Sequence[HostedGroup], device: torch.device, *, goes_round: bool) -> None:
        self._groups = groups
        self._device = device
        self._goes_round = goes_round
        self._side = _side_stream(device) if device.type == "cuda" else None
        self._here: dict[int, Any] = {}
        self.num_loads = 0

    @property
    def most_bytes(self) -> int:
        """Bytes on the device at most."""
        return sum(sorted(group.num_bytes for group in self._groups)[-2:])

    def need(self, index: int) -> None:
        """See that a group is there for what is computed next, let go of the others, send for the one after it."""
        after = (index + 1) % len(self._groups) if self._goes_round else index + 1
        for other in self._here.keys() - {index, after}:  # first: a pass that was abandoned has left two behind
            self._let_go(other)
        self._send_for(index)
        if event := self._here[index]:
            torch.cuda.current_stream(self._device).wait_event(event)
        if after < len(self._groups):
            self._send_for(after)

    def clear(self) -> None:
        """Let go of all groups."""
        for index in list(self._here):
            self._let_go(index)

    def _send_for(self, index: int) -> None:
        if index in self._here:
            return
        self.num_loads += 1
        if self._side is None:
            self._groups[index].come()
            self._here[index] = None
            return
        # The memory it gets may be that of a group which is multiplied with until all that is under way now is done.
        self._side.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._side):
            self._groups[index].come()
            self._here[index] = self._side.record_event()

    def _let_go(self, index: int) -> None:
        del self._here[index]
        self._groups[index].leave()


class HostedModule:
    """A module whose weights live on the host between uses.

    Args:
        module: on any device; afterwards it looks as if it were on `device`.
        device: where it is used.
        layers: parts of it that are called one after the other, which come one by one. The rest comes at once.
    """

    def __init__(self, module: nn.Module, device: torch.device, layers: Sequence[nn.Module] = ()) -> None:
        groups = [HostedGroup(_tensors_of(layer.to(device))) for layer in layers]
        in_layers = {id(tensor) for layer in layers for tensor in _tensors_of(layer)}
        rest = [tensor for tensor in _tensors_of(module.to(device)) if id(tensor) not in in_layers]
        self._rest = WeightStream([HostedGroup(rest)], device, goes_round=False)
        self._stream = WeightStream(groups, device, goes_round=False)
        for index, layer in enumerate(layers):
            layer.register_forward_pre_hook(lambda *_, index=index: self._stream.need(index))
        _hosted[module] = self

    @property
    def most_bytes(self) -> int:
        """Bytes on the device while it is used."""
        return self._rest.most_bytes + self._stream.most_bytes

    @contextmanager
    def here(self) -> Generator[None]:
        """Have it on the device for the length of a block."""
        self._rest.need(0)
        try:
            yield
        finally:
            self._stream.clear()
            self._rest.clear()


_hosted: "WeakKeyDictionary[nn.Module, HostedModule]" = WeakKeyDictionary()


@contextmanager
def present(*modules: nn.Module) -> Generator[None]:
    """Have modules on the device for the length of a block; nothing to do for those that always are."""
    with ExitStack() as stack:
        for module in modules:
            if hosted := _hosted.get(module):
                stack.enter_context(hosted.here())
        yield


def is_hosted(module: nn.Module) -> bool:
    """Whether a module, or a part of it, lives on the host between uses."""
    return any(part in _hosted for part in module.modules())


def visiting_bytes(modules: Iterable[nn.Module]) -> int:
    """Bytes that the largest of them, or of their parts, takes on the device at a time; 0 when all are resident."""
    parts = (part for module in modules for part in module.modules())
    return max((hosted.most_bytes for part in parts if (hosted := _hosted.get(part))), default=0)


def _tensors_of(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def _flats_of(tensor: Tensor) -> Iterator[Tensor]:
    """The memory under a tensor as bytes, whole; of a quantised one, that of all it is made of."""
    if flatten := getattr(tensor, "__tensor_flatten__", None):
        names, _ = flatten()
        for name in names:
            yield from _flats_of(getattr(tensor, name))
    elif tensor.numel():
        storage = tensor.untyped_storage()
        flat: Any = torch.empty(0, dtype=torch.uint8, device=tensor.device)
        yield flat.set_(storage, 0, (storage.nbytes(),))


def _on_host(flats: Sequence[Tensor]) -> list[Tensor]:
    """Copies on the host, side by side, pinned where copies to the device can go on beside the computing."""
    sizes = [flat.nbytes for flat in flats]
    is_cuda = any(flat.device.type == "cuda" for flat in flats)
    whole = _pinned_if_it_can_be(sum(sizes)) if is_cuda else torch.empty(sum(sizes), dtype=torch.uint8)
    return [host.copy_(flat) for host, flat in zip(whole.split(sizes), flats, strict=True)]


def _pinned_if_it_can_be(num_bytes: int) -> Tensor:
    """Pinned memory, or what the host has: weights come from there as well, only slower."""
    try:
        return pinned(num_bytes)
    except RuntimeError as error:
        _warn_once(f"weights on the host come to the device slowly: {error}")
        return torch.empty(num_bytes, dtype=torch.uint8)


@cache
def _warn_once(message: str) -> None:
    _log.warning(message)


@cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """One for all weights: memory that one stream gave back serves another without waiting."""
    return torch.cuda.Stream(device)
