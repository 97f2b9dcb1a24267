"""The transformer's linear layers, fused where they are plain, each with what the pass's adapters add to it.

Knows diffusers' module names and nothing of attention. The modules stay the holders of the weights: a fused matrix
*is* their storage (their `weight` becomes a view into it), so nothing is held twice and PEFT, saving and further
loading still find them. A linear that is anything but `nn.Linear` (quantised, LoRA-wrapped, hooked) is called as it is.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from overpaint.model.lora import NO_CHANGES, RowChanges


class FusedLinear:
    """One or several bias-free linears over the same input, as one product when they are plain.

    Args:
        linears: modules with equal input width, by the names that adapters know them by.
    """

    def __init__(self, linears: Mapping[str, nn.Module]) -> None:
        self._linears = list(linears.values())
        is_fused = len(linears) > 1 and all(map(_is_plain, self._linears))
        self._weight = _share_storage(self._linears) if is_fused else None
        widths = [int(getattr(linear, "out_features")) for linear in self._linears]  # noqa: B009  also of wrapped ones
        self._columns = list(zip(linears, pairwise(accumulate(widths, initial=0)), strict=True))

    def __call__(self, x: Tensor, changes: RowChanges = NO_CHANGES) -> Tensor:
        """Project `(rows, in)` to `(rows, sum of outs)`, outputs in order."""
        y = self._multiply(x)
        if changes:
            for name, (start, end) in self._columns:
                changes.add(name, x, y[:, start:end])
        return y

    def quantise(self, quantise: Callable[[Tensor], Tensor]) -> None:
        """Hold plain weights in fewer bits; fused ones stay fused where their rows can still be told apart."""
        weight, self._weight = self._weight, None
        if weight is not None and _hold_rows(self._linears, joined := quantise(weight)):
            self._weight = joined
            return
        for linear in filter(_is_plain, self._linears):
            linear.register_parameter("weight", _frozen(quantise(linear.get_parameter("weight").detach().clone())))

    def _multiply(self, x: Tensor) -> Tensor:
        if self._weight is not None:
            return F.linear(x, self._weight)
        parts = [linear(x) for linear in self._linears]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


class QueryKeyNorm:
    """The weights of the RMS norms of queries and keys.

    Args:
        norm_q: diffusers' RMSNorm over a head's channels.
        norm_k: likewise.
    """

    def __init__(self, norm_q: nn.Module, norm_k: nn.Module) -> None:
        self._norms = (norm_q, norm_k)
        (self.eps,) = {float(getattr(norm, "eps")) for norm in self._norms}  # noqa: B009  modules type attributes loosely

    @property
    def weight(self) -> Tensor:
        """`(2, head_dim)` fp32, as the modules have it now."""
        return torch.stack([norm.get_parameter("weight") for norm in self._norms]).float()


class BlockProjections:
    """What a block multiplies with.

    Args:
        module: diffusers' transformer.
        layer: which of its blocks.
    """

    def __init__(self, module: nn.Module, layer: int) -> None:
        block = f"transformer_blocks.{layer}"
        self.qkv = FusedLinear(_named(module, (f"{block}.attn.{name}" for name in ("to_q", "to_k", "to_v"))))
        self.attn_out = FusedLinear(_named(module, [f"{block}.attn.to_out.0"]))
        self.gate_up = FusedLinear(_named(module, (f"{block}.img_mlp.{name}" for name in ("gate_layer", "proj"))))
        self.mlp_out = FusedLinear(_named(module, [f"{block}.img_mlp.out"]))
        attn = module.get_submodule(f"{block}.attn")
        self.norm_qk = QueryKeyNorm(attn.get_submodule("norm_q"), attn.get_submodule("norm_k"))

    def quantise(self, quantise: Callable[[Tensor], Tensor]) -> None:
        """Hold the matrices in fewer bits."""
        for linear in (self.qkv, self.attn_out, self.gate_up, self.mlp_out):
            linear.quantise(quantise)


class EndProjections:
    """What comes before the blocks and after them.

    Args:
        module: diffusers' transformer.
    """

    def __init__(self, module: nn.Module) -> None:
        self.img_in = FusedLinear(_named(module, ["img_in"]))
        self.proj_out = FusedLinear(_named(module, ["proj_out"]))
        self._txt_norm, self._txt_act = (module.get_submodule(f"txt_in.{name}") for name in ("text_norm", "act"))
        self._txt_inner = FusedLinear(_named(module, ["txt_in.in_layer"]))
        self._txt_outer = FusedLinear(_named(module, ["txt_in.out_layer"]))

    def txt_in(self, txt: Tensor, changes: RowChanges = NO_CHANGES) -> Tensor:
        """Bring `(tokens, context channels)` to `(tokens, dim)`, as `QwenImage21TextProjection` of diffusers does."""
        return self._txt_outer(self._txt_act(self._txt_inner(self._txt_norm(txt), changes)), changes)


def _named(module: nn.Module, names: Iterable[str]) -> dict[str, nn.Module]:
    return {name: module.get_submodule(name) for name in names}


def _frozen(weight: Tensor) -> nn.Parameter:
    return nn.Parameter(weight, requires_grad=False)


def _is_plain(module: nn.Module) -> bool:
    has_bias = module._parameters.get("bias") is not None
    # Offloading replaces `forward` on the instance; everything else that takes part registers a hook.
    is_hooked = bool(module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module))
    is_whole = type(module._parameters.get("weight")) is nn.Parameter  # quantised ones have types of their own
    return type(module) is nn.Linear and is_whole and not has_bias and not is_hooked


def _share_storage(linears: Sequence[nn.Module]) -> Tensor:
    """Join the weights into one matrix and make each module's weight a view of its rows."""
    weights = [linear.get_parameter("weight") for linear in linears]
    joined = torch.cat([weight.detach() for weight in weights])
    start = 0
    for weight in weights:
        rows = weight.shape[0]
        weight.data = joined[start : start + rows]
        start += rows
    return joined


def _hold_rows(linears: Sequence[nn.Module], joined: Tensor) -> bool:
    """Make each module's weight the rows of a quantised matrix; False when those cannot be told apart."""
    ends = list(accumulate(linear.get_parameter("weight").shape[0] for linear in linears))
    try:
        parts = [joined[start:end] for start, end in pairwise([0, *ends])]
    except NotImplementedError:
        return False
    for linear, part in zip(linears, parts, strict=True):
        linear.register_parameter("weight", _frozen(part))
    return True
