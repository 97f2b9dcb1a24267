"""The linear layers of one transformer block, fused where they are plain.

Knows diffusers' module names and nothing of attention. The modules stay the holders of the weights: a fused matrix
*is* their storage (their `weight` becomes a view into it), so nothing is held twice and PEFT, saving and further
loading still find them. A linear that is anything but `nn.Linear` (quantised, LoRA-wrapped, hooked) is called as it is.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FusedLinear:
    """Several bias-free linears over the same input, as one product when they are plain.

    Args:
        linears: modules with equal input width.
    """

    def __init__(self, linears: Sequence[nn.Module]) -> None:
        self._linears = list(linears)
        self._weight = _share_storage(self._linears) if all(map(_is_plain, self._linears)) else None

    def __call__(self, x: Tensor) -> Tensor:
        """Project `(tokens, in)` to `(tokens, sum of outs)`, outputs in order."""
        if self._weight is not None:
            return F.linear(x, self._weight)
        return torch.cat([linear(x) for linear in self._linears], dim=-1)


class QueryKeyNorm:
    """The RMS norms of queries and keys as one, in fp32, so that the rotation after it rounds once.

    Args:
        norm_q: diffusers' RMSNorm over a head's channels.
        norm_k: likewise.
    """

    def __init__(self, norm_q: nn.Module, norm_k: nn.Module) -> None:
        self._norms = (norm_q, norm_k)
        (self._eps,) = {float(getattr(norm, "eps")) for norm in self._norms}  # noqa: B009  modules type attributes loosely

    def __call__(self, qk: Tensor) -> Tensor:
        """Normalise `(tokens, 2, heads, head_dim)` to fp32."""
        weights = torch.stack([norm.get_parameter("weight") for norm in self._norms]).float()
        return F.rms_norm(qk.float(), qk.shape[-1:], eps=self._eps) * weights[:, None]


class BlockProjections:
    """What a block multiplies with.

    Args:
        block: a diffusers transformer block.
    """

    def __init__(self, block: nn.Module) -> None:
        attn, mlp = block.get_submodule("attn"), block.get_submodule("img_mlp")
        self.qkv = FusedLinear([attn.get_submodule(name) for name in ("to_q", "to_k", "to_v")])
        self.attn_out = attn.get_submodule("to_out.0")
        self.gate_up = FusedLinear([mlp.get_submodule(name) for name in ("gate_layer", "proj")])
        self.mlp_out = mlp.get_submodule("out")
        self.norm_qk = QueryKeyNorm(attn.get_submodule("norm_q"), attn.get_submodule("norm_k"))


def _is_plain(module: nn.Module) -> bool:
    has_bias = module._parameters.get("bias") is not None
    # Offloading replaces `forward` on the instance; everything else that takes part registers a hook.
    is_hooked = bool(module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module))
    return type(module) is nn.Linear and not has_bias and not is_hooked


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
