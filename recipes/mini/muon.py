"""Muon (Jordan et al., 2024; learning rates as Liu et al., arXiv 2502.16982): momentum, made orthogonal.

torch.optim.Muon multiplies in bfloat16 whatever the device, which takes fifty times as long where bfloat16 is
emulated, and one matrix after the other. Here the dtype is told, and matrices of one shape go together. Knows nothing
of networks.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import nn

MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # the quintic that is steepest at zero
ITERATIONS = 4
EPSILON = 1e-7


class Muon(torch.optim.Optimizer):
    """For matrices (rows, columns) only; `dtype` is what the products are computed in.

    Raises:
        ValueError: a parameter that is no matrix.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, weight_decay: float, dtype: torch.dtype) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        self.dtype = dtype
        if odd := [tuple(p.shape) for group in self.param_groups for p in group["params"] if p.ndim != 2]:
            raise ValueError(f"params: Muon is for matrices, not for shapes {odd}")

    @torch.no_grad()
    def step(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            alike: defaultdict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike[parameter.shape].append(parameter)
            for parameters in alike.values():
                self._update(parameters, group["lr"], group["weight_decay"])

    def _update(self, parameters: list[nn.Parameter], rate: float, weight_decay: float) -> None:
        """Parameters of one shape, Nesterov momentum; a step's root mean square is AdamW's."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        momenta = [self._momentum(p) for p in parameters]
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
        ahead = torch._foreach_lerp(gradients, momenta, MOMENTUM)
        steps = orthogonalised(torch.stack(ahead).to(self.dtype)).to(parameters[0].dtype)
        scale = 0.2 * math.sqrt(max(parameters[0].shape))
        torch._foreach_mul_(parameters, 1 - rate * weight_decay)
        torch._foreach_add_(parameters, steps.unbind(), alpha=-rate * scale)

    def _momentum(self, parameter: nn.Parameter) -> torch.Tensor:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        return state["momentum_buffer"]


def orthogonalised(matrices: torch.Tensor) -> torch.Tensor:
    """Matrices (count, rows, columns) with their singular values brought near one, by Newton and Schulz."""
    if matrices.shape[1] > matrices.shape[2]:
        return orthogonalised(matrices.mT).mT
    a, b, c = NEWTON_SCHULZ
    found = matrices / torch.linalg.matrix_norm(matrices, keepdim=True).clamp(min=EPSILON)
    for _ in range(ITERATIONS):
        gram = found @ found.mT
        found = torch.baddbmm(found, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return found
