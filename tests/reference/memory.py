"""How much memory tensors take at the same time, on any device: counts storages as they come and go."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _LiveBytes(TorchDispatchMode):
    """Counts the storages that operations make while it is on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        known = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if _is_tensor(leaf)}
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if _is_tensor(leaf):
                self._take(leaf.untyped_storage(), known)
        return result

    def _take(self, storage: torch.UntypedStorage, known: set[int]) -> None:
        name, size = storage._cdata, storage.nbytes()
        if name in self._seen or name in known:
            return
        self._seen.add(name)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._give, name, size)

    def _give(self, name: int, size: int) -> None:
        self._seen.discard(name)
        self.now -= size


def _is_tensor(leaf: object) -> bool:
    return isinstance(leaf, torch.Tensor)


def peak_bytes(call: Callable[[], object]) -> int:
    """The most bytes that new tensors took at the same time while `call` ran."""
    with torch.inference_mode(), _LiveBytes() as live:
        kept = call()
    del kept
    return live.peak
