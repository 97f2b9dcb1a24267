"""How far two results lie apart."""

import numpy as np
import torch


def max_abs(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Largest absolute difference, in float32."""
    assert ours.shape == theirs.shape, f"{tuple(ours.shape)} against {tuple(theirs.shape)}"
    return float((ours.detach().float() - theirs.detach().float()).abs().max())


def psnr_db(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two uint8 images; infinite when they are equal."""
    assert ours.shape == theirs.shape, f"{ours.shape} against {theirs.shape}"
    error = float(np.mean((ours.astype(np.float64) - theirs.astype(np.float64)) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))
