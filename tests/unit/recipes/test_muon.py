"""The recipe's Muon: torch's, in another precision and many matrices at once."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from recipes.mini.muon import ITERATIONS, Muon, orthogonalised

SHAPES = [(24, 24), (24, 24), (48, 16), (16, 48)]
RATE, DECAY = 1e-2, 0.1


def matrices() -> list[nn.Parameter]:
    torch.manual_seed(3)
    return [nn.Parameter(torch.randn(shape)) for shape in SHAPES]


def test_steps_are_those_of_torch() -> None:
    ours, theirs = matrices(), matrices()
    mine = Muon(ours, RATE, DECAY, torch.float32)
    other = torch.optim.Muon(theirs, lr=RATE, weight_decay=DECAY, adjust_lr_fn="match_rms_adamw", ns_steps=ITERATIONS)
    before = [p.detach().clone() for p in ours]
    for _ in range(3):
        for first, second in zip(ours, theirs, strict=True):
            first.grad = torch.randn_like(first)
            second.grad = first.grad.clone()
        mine.step()
        other.step()
    for old, first, second in zip(before, ours, theirs, strict=True):
        # torch multiplies in bfloat16: eight bits through four iterations are a hundredth of a step
        assert (first - second).norm() < 0.03 * (second - old).norm()


def test_singular_values_come_near_one_in_both_directions() -> None:
    for rows, columns in SHAPES:
        left, _, right = torch.linalg.svd(torch.randn(rows, columns), full_matrices=False)
        values = torch.linspace(0.2, 1.0, min(rows, columns))
        found = torch.linalg.svdvals(orthogonalised(((left * values) @ right)[None]))
        assert found.min() > 0.5  # what Jordan gives for his polynomial: 0.7 to 1.2 from small values on
        assert found.max() < 1.3


def test_what_has_no_gradient_stays() -> None:
    first, second = matrices()[:2]
    second.grad = torch.randn_like(second)
    kept = first.detach().clone()
    Muon([first, second], RATE, DECAY, torch.float32).step()
    assert torch.equal(first, kept)


def test_state_survives_a_round_trip() -> None:
    first = matrices()[0]
    first.grad = torch.randn_like(first)
    old = Muon([first], RATE, DECAY, torch.float32)
    old.step()
    new = Muon([first], RATE, DECAY, torch.float32)
    new.load_state_dict(old.state_dict())
    assert torch.equal(new.state[first]["momentum_buffer"], old.state[first]["momentum_buffer"])


def test_the_state_of_an_older_run_goes_on() -> None:
    """Runs from before had torch's, whose groups hold more."""
    first = matrices()[0]
    first.grad = torch.randn_like(first)
    old = torch.optim.Muon([first], lr=RATE, weight_decay=DECAY, adjust_lr_fn="match_rms_adamw", ns_steps=ITERATIONS)
    old.step()
    new = Muon([first], RATE, DECAY, torch.bfloat16)
    new.load_state_dict(old.state_dict())
    assert torch.equal(new.state[first]["momentum_buffer"], old.state[first]["momentum_buffer"])
    new.step()
    assert torch.isfinite(first).all()


def test_only_matrices() -> None:
    with pytest.raises(ValueError, match=r"\(3,\)"):
        Muon([nn.Parameter(torch.zeros(3))], RATE, DECAY, torch.float32)
