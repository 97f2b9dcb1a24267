"""Sigmas, noise and the Euler step, as free functions without state.

Knows no model and no scheduler object: each sequence of a pack carries its own list of sigmas and its own index.

Source: `calculate_shift` and `prepare_latents` of diffusers 0.42.1 pipeline_qwenimage21.py, and
`FlowMatchEulerDiscreteScheduler`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from overpaint.model.layout import Grid

_FIXED: Mapping[str, object] = {
    "_class_name": "FlowMatchEulerDiscreteScheduler",
    "num_train_timesteps": 1000,
    "invert_sigmas": False,
    "stochastic_sampling": False,
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
}
"""What a scheduler's config may say in one way only: any other way paints something else."""
_NUMBERS = ("shift", "base_image_seq_len", "max_image_seq_len", "base_shift", "max_shift")
_TIME_SHIFTS = ("exponential", "linear")


@dataclass(frozen=True, slots=True)
class NoiseSchedule:
    """The checkpoint's way from noise to picture (fields as its scheduler_config.json calls them)."""

    use_dynamic_shifting: bool = True
    shift: float = 1.0
    base_image_seq_len: int = 256
    max_image_seq_len: int = 4096
    base_shift: float = 0.5
    max_shift: float = 1.15
    time_shift_type: str = "exponential"
    shift_terminal: float | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, object]) -> "NoiseSchedule":
        """Pick the known fields of a scheduler config.

        Raises:
            ValueError: it asks for what is not done here, or a value makes no sense; a clause.
        """
        for name, value in _FIXED.items():
            if config.get(name) not in (None, value):
                raise ValueError(f"has {name} {config[name]!r}; Overpaint runs schedules where it is {value!r}")
        known: dict[str, object] = {"use_dynamic_shifting": False}  # what diffusers takes where a config is silent
        known |= {name: config[name] for name in cls.__slots__ if config.get(name) is not None}
        schedule = cls(**known)  # pyright: ignore[reportArgumentType]
        schedule._check()
        return schedule

    def _check(self) -> None:
        for name in _NUMBERS:
            if type(value := getattr(self, name)) not in (int, float):
                raise ValueError(f"has {name} {value!r}; it must be a number")
        if self.max_image_seq_len <= self.base_image_seq_len:
            raise ValueError("has a max_image_seq_len that is not above base_image_seq_len")
        if self.time_shift_type not in _TIME_SHIFTS:
            raise ValueError(
                f"has time_shift_type {self.time_shift_type!r}; it must be one of {', '.join(_TIME_SHIFTS)}"
            )
        terminal = self.shift_terminal or 0
        if type(terminal) not in (int, float) or not 0 <= terminal < 1:
            raise ValueError(f"has shift_terminal {terminal!r}; it must be a number from 0 to below 1")

    def sigmas(self, base: Sequence[float], target_tokens: int) -> list[float]:
        """Shift `base` for a picture of `target_tokens` tokens and append the terminal 0.

        Args:
            base: unshifted sigmas, falling from 1.
            target_tokens: latent tokens of the picture.

        Returns:
            `len(base) + 1` sigmas in [0, 1].
        """
        shifted = [self._shift(sigma, target_tokens) for sigma in base]
        if self.shift_terminal and shifted[-1] < 1:  # a single step starts and ends at 1: nothing to stretch
            stretch = (1 - shifted[-1]) / (1 - self.shift_terminal)
            shifted = [1 - (1 - sigma) / stretch for sigma in shifted]
        return [*shifted, 0.0]

    def _shift(self, sigma: float, target_tokens: int) -> float:
        if not self.use_dynamic_shifting:
            return self.shift * sigma / (1 + (self.shift - 1) * sigma)
        mu = self._mu(target_tokens)
        factor = math.exp(mu) if self.time_shift_type == "exponential" else mu
        return factor / (factor + (1 / sigma - 1))

    def _mu(self, target_tokens: int) -> float:
        slope = (self.max_shift - self.base_shift) / (self.max_image_seq_len - self.base_image_seq_len)
        return self.base_shift + slope * (target_tokens - self.base_image_seq_len)


def base_sigmas(steps: int | None, sample_sigmas: Sequence[float] | None, default_steps: int) -> list[float]:
    """Unshifted sigmas of a run.

    Args:
        steps: asked for, or None for the checkpoint's own.
        sample_sigmas: sigmas a few-step checkpoint was made for; taken unless another step count is asked for.
        default_steps: used when neither is given.
    """
    if sample_sigmas and steps in (None, len(sample_sigmas)):
        return list(sample_sigmas)
    count = steps or default_steps
    return [1 + (1 / count - 1) * index / max(1, count - 1) for index in range(count)]


def draw_noise(seed: int, channels: int, grid: Grid) -> Tensor:
    """The start of a picture: `(height * width, channels)` fp32 on the CPU, the same on every device.

    Args:
        seed: 0..2147483647.
        channels: latent channels.
        grid: the target's grid.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    noise = torch.randn((1, 1, channels, *grid), generator=generator)
    return noise.view(channels, -1).T.contiguous()


def euler_step(latents: Tensor, velocity: Tensor, sigma: float, sigma_next: float) -> Tensor:
    """One step of the flow, in fp32.

    Args:
        latents: `(tokens, channels)` fp32 at `sigma`.
        velocity: `(tokens, channels)`, the model's prediction.
        sigma: noise level now.
        sigma_next: noise level after.
    """
    return latents.add(velocity.float(), alpha=sigma_next - sigma)


def guide(positive: Tensor, negative: Tensor, scale: float) -> Tensor:
    """True classifier-free guidance: away from `negative` by `scale`."""
    return negative + scale * (positive - negative)
