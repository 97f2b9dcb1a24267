"""Muon for the matrices of the blocks, AdamW for everything else. Knows nothing of losses."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from recipes.mini.muon import Muon


class Optimizers:
    """Both optimisers behind one `step`."""

    def __init__(self, networks: nn.Module, weight_decay: float, dtype: torch.dtype) -> None:
        named = [(name, p) for name, p in networks.named_parameters() if p.requires_grad]
        inner = [p for name, p in named if p.ndim == 2 and ("blocks." in name or "language_model.layers." in name)]
        chosen = {id(p) for p in inner}
        outer = [p for _, p in named if id(p) not in chosen]
        self.parts: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(outer, lr=1.0, betas=(0.9, 0.98), weight_decay=weight_decay, fused=True),
            Muon(inner, lr=1.0, weight_decay=weight_decay, dtype=dtype),
        ]

    def step(self, rate: float) -> None:
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[Any]:
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[Any]) -> None:
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)
