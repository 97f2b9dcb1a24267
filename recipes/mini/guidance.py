"""Guidance learned into the weights: a fixed teacher says how far guidance would steer the velocity.

What it says is added to the target of flow matching, so that one forward a step does what two did. After
"Diffusion Models without Classifier-free Guidance" (Tang et al., arXiv 2502.12154), with a fixed teacher
in place of the network's own average, and a scale that fades with the noise: while there is much of it
the picture's content is decided, later only its looks. Knows nothing of losses or optimisers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from recipes.mini.networks import Conditions, MiniModel
from recipes.mini.tasks import UNCONDITIONAL
from recipes.mini.tokenizer import Prompts


def without_words(conditions: Conditions, prompts: Prompts) -> Conditions:
    """The same pictures under the empty instruction: what guidance steers away from."""
    row = prompts.encode(UNCONDITIONAL, conditions.pictures.shape[1])
    ids = torch.tensor(row, device=conditions.ids.device).expand(len(conditions.ids), -1)
    lengths = torch.full_like(conditions.lengths, len(row))
    return replace(conditions, ids=ids, lengths=lengths, starts=prompts.starts(row))


@dataclass(frozen=True)
class Teacher:
    """`scale` is guidance under pure noise; 1 steers nothing. `learned` is the guidance that its own weights hold."""

    model: MiniModel
    prompts: Prompts
    scale: float
    learned: float = 1.0

    @torch.no_grad()
    def steer(self, conditions: Conditions, noisy: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """What guidance adds to the velocity, (B, K, tokens, 64) in fp32; nothing where the instruction is empty.

        `noisy` (B, K, tokens, 64) at levels `sigma` (B, K) in 0..1. A teacher that holds guidance already says more
        than the words alone would; what it says is scaled back by as much.
        """
        asked = self.model(conditions, noisy, sigma).velocity.float()
        empty = self.model(without_words(conditions, self.prompts), noisy, sigma).velocity.float()
        level = sigma[:, :, None, None]
        return (self.scale - 1) * level / (1 + (self.learned - 1) * level) * (asked - empty)
