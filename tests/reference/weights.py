"""Random weights that make every part of a small model matter.

A freshly initialised network is nearly inert: gates close to zero, attention close to uniform, norms at one. A parity
test over such weights passes whatever the code does. Here every gate opens, every norm differs per channel, and the
outputs are scaled to the size that trained ones have.
"""

import torch
from torch import nn

_NORM_SPREAD = 0.3


@torch.no_grad()
def enliven(module: nn.Module, generator: torch.Generator) -> None:
    """Fill every parameter: matrices keep the variance, norms spread around one, biases are small but not zero."""
    for name, parameter in module.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.copy_(_value(name, noise))


def _value(name: str, noise: torch.Tensor) -> torch.Tensor:
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "bias":
        return 0.1 * noise
    if noise.squeeze().ndim < 2:
        return 1 + _NORM_SPREAD * noise
    if "embed" in name and "patch_embed" not in name and "embedder" not in name:
        return noise
    return noise / noise[0].numel() ** 0.5


@torch.no_grad()
def rescale_to(parameters: list[nn.Parameter], produced: torch.Tensor, std: float) -> None:
    """Scale the `parameters` of a last linear layer so that what it `produced` gets the standard deviation `std`."""
    factor = std / float(produced.float().std())
    for parameter in parameters:
        parameter.mul_(factor)
