"""What lies between the matrix products of a block: norms, rotations, gates, activations. Knows no weights, no packs.

Each is one function of tensors, so that it can be compiled into one kernel where the device has a compiler for it
(`compiled`); as it stands it makes few passes over memory. All norms are computed in fp32.

Source: `QwenImage21TransformerBlock`, `QwenImage21AttnProcessor` and `apply_rotary_emb_qwen` of diffusers 0.42.1.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_MAX_HALF = 65504.0


def scale_norm(x: Tensor, factor: Tensor, eps: float) -> Tensor:
    """`layer_norm(x) * factor` of `(tokens, dim)`.

    Args:
        x: hidden states.
        factor: `(dim,)` when all tokens share it, which makes it the norm's own weight, else `(tokens, dim)`.
        eps: of the norm.
    """
    dim = (x.shape[-1],)
    if factor.dim() == 1:
        return F.layer_norm(x, dim, factor, None, eps)
    return F.layer_norm(x, dim, None, None, eps) * factor


def norm_rotate(qk: Tensor, weight: Tensor, table: Tensor, eps: float) -> Tensor:
    """Root-mean-square norm of every head's query and key, then the rotation of neighbouring channels; rounded once.

    Args:
        qk: `(tokens, 2, heads, head_dim)` of any float dtype.
        weight: of the two norms, `(2, head_dim)` fp32.
        table: `(tokens, 1, 1, head_dim / 2)` complex64.
        eps: of the norms.

    Returns:
        Same shape and dtype, contiguous.
    """
    x = qk.to(torch.float32, memory_format=torch.contiguous_format, copy=True)
    size = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps).rsqrt_()
    # Whole rows of weights multiply faster than 2 x head_dim spread over the heads.
    x.flatten(1).mul_(weight[:, None].expand(x.shape[1:]).flatten())
    x.mul_(size)
    torch.view_as_complex(x.unflatten(-1, (-1, 2))).mul_(table)
    return x.to(qk.dtype)


def activate(gate_up: Tensor) -> Tensor:
    """`silu(gate) * up` of `(tokens, 2 * inner)`, gate first."""
    gate, up = gate_up.chunk(2, dim=-1)
    return F.silu(gate).mul_(up)


def add_gated(hidden: Tensor, gate: Tensor, added: Tensor) -> Tensor:
    """`hidden + gate * added` of `(tokens, dim)`; in fp16 kept within its range, as the reference does."""
    hidden = torch.addcmul(hidden, gate, added)
    return hidden.clamp_(-_MAX_HALF, _MAX_HALF) if hidden.dtype == torch.float16 else hidden


@dataclass(frozen=True, slots=True)
class Pointwise:
    """The functions above, or what was compiled of them.

    Args:
        scale_norm: like the next three, what the function of its name does.
        norm_rotate: likewise.
        activate: likewise.
        add_gated: likewise.
        during: held while they are called.
    """

    scale_norm: Callable[[Tensor, Tensor, float], Tensor] = scale_norm
    norm_rotate: Callable[[Tensor, Tensor, Tensor, float], Tensor] = norm_rotate
    activate: Callable[[Tensor], Tensor] = activate
    add_gated: Callable[[Tensor, Tensor, Tensor], Tensor] = add_gated
    during: Callable[[], AbstractContextManager[object]] = nullcontext
