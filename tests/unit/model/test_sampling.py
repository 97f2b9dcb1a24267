"""Schedules and noise against diffusers' scheduler and pipeline."""

from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.qwenimage21.pipeline_qwenimage21 import calculate_shift
from diffusers.utils.torch_utils import randn_tensor

from overpaint.model.sampling import NoiseSchedule, base_sigmas, draw_noise, euler_step, guide
from tests.reference.library import FlowMatchEulerDiscreteScheduler

_DYNAMIC = {"use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 0.9, "max_image_seq_len": 8192}
_CONFIGS: list[dict[str, Any]] = [
    _DYNAMIC,
    {**_DYNAMIC, "shift_terminal": 0.02},
    {**_DYNAMIC, "time_shift_type": "linear"},
    {"use_dynamic_shifting": False, "shift": 3.0},
    {"use_dynamic_shifting": False, "shift": 1.0, "shift_terminal": 0.1},
    {"shift": 3.0},
]


@pytest.mark.parametrize("target_tokens", [16, 256, 4096, 16512])
@pytest.mark.parametrize("steps", [2, 8, 40])  # at one step diffusers divides by zero under a terminal sigma
@pytest.mark.parametrize(
    "config", _CONFIGS, ids=["dynamic", "terminal", "linear", "static", "static_terminal", "silent"]
)
def test_sigmas_are_those_of_the_scheduler(config: dict[str, Any], steps: int, target_tokens: int) -> None:
    theirs = FlowMatchEulerDiscreteScheduler(**config)
    names = ("base_image_seq_len", "max_image_seq_len", "base_shift", "max_shift")
    mu = calculate_shift(target_tokens, *(theirs.config[name] for name in names))
    theirs.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=mu)
    schedule = NoiseSchedule.from_config(config)
    assert NoiseSchedule.from_config(theirs.config) == schedule
    ours = schedule.sigmas(base_sigmas(steps, None, 40), target_tokens)
    # Theirs is rounded to fp32 on the way.
    assert ours == pytest.approx(theirs.sigmas.tolist(), abs=1e-6)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"_class_name": "UniPCMultistepScheduler"}, "runs schedules where it is 'FlowMatchEulerDiscreteScheduler'"),
        ({"num_train_timesteps": 500}, "where it is 1000"),
        *(
            ({name: True}, f"has {name} True; Overpaint runs schedules where it is False")
            for name in (
                "invert_sigmas",
                "stochastic_sampling",
                "use_karras_sigmas",
                "use_exponential_sigmas",
                "use_beta_sigmas",
            )
        ),
        ({"time_shift_type": "cubic"}, "one of exponential, linear"),
        ({"shift": "3"}, "has shift '3'; it must be a number"),
        ({"max_image_seq_len": 256}, "not above base_image_seq_len"),
        ({"shift_terminal": 1.0}, "below 1"),
        ({"shift_terminal": "late"}, "below 1"),
    ],
)
def test_a_schedule_that_would_be_run_otherwise_than_it_says_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        NoiseSchedule.from_config({**_DYNAMIC, **wrong})


def test_one_step_to_a_terminal_sigma_is_finite() -> None:
    sigmas = NoiseSchedule(shift_terminal=0.02).sigmas([1.0], 256)
    assert sigmas[0] == pytest.approx(1.0)
    assert sigmas[-1] == 0


def test_a_few_step_checkpoint_brings_its_own_sigmas() -> None:
    own = [1.0, 0.8, 0.3]
    assert base_sigmas(None, own, 3) == own
    assert base_sigmas(3, own, 3) == own


def test_another_step_count_than_the_checkpoints_own_is_evenly_spaced() -> None:
    assert base_sigmas(4, [1.0, 0.8, 0.3], 3) == pytest.approx([1.0, 0.75, 0.5, 0.25])


@pytest.mark.parametrize("grid", [(6, 6), (4, 10), (8, 4)])
def test_noise_is_what_the_pipeline_draws_for_the_seed(grid: tuple[int, int]) -> None:
    shape = (1, 1, 16, *grid)
    drawn = randn_tensor(shape, generator=[torch.Generator().manual_seed(5)], dtype=torch.float32)
    theirs = drawn.view(1, 16, -1).transpose(1, 2)[0]
    assert torch.equal(draw_noise(5, 16, grid), theirs)


def test_an_euler_step_moves_along_the_velocity_in_fp32() -> None:
    latents, velocity = torch.randn(3, 4), torch.randn(3, 4, dtype=torch.bfloat16)
    stepped = euler_step(latents, velocity, 0.8, 0.5)
    assert stepped.dtype == torch.float32
    torch.testing.assert_close(stepped, latents - 0.3 * velocity.float())


def test_guidance_of_one_is_the_positive_branch() -> None:
    positive, negative = torch.randn(3, 4), torch.randn(3, 4)
    torch.testing.assert_close(guide(positive, negative, 1.0), positive)
    torch.testing.assert_close(guide(positive, negative, 0.0), negative)
