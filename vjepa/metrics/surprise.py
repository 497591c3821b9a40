"""How much worse the predictor does on a corrupted clip: what only a JEPA can be asked.

B clips, M masks, K_m target tokens of mask m, D latent channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vjepa.metrics.moments import precise


@torch.no_grad()
def predictor_surprise(predicted: Sequence[Tensor], targets: Sequence[Tensor], exponent: float = 1.0) -> Tensor:
    """``mean_m mean_{k,c} |z_pred_m - h_m|^p / p``, the prediction term clip by clip.

    Args:
        predicted: M of (B, K_m, D).
        targets: M of (B, K_m, D), the teacher's tokens at the same places: of the corrupted clip, or of the clean one
            to ask whether the future can still be told from a corrupted context. Use the same masks for both.
        exponent: p > 0.

    Returns:
        (B,) at least 0.

    Raises:
        ValueError: no mask, or shapes differ.

    Source: Garrido et al., arXiv 2502.11831.
    """
    shapes = [(tuple(z.shape), tuple(h.shape)) for z, h in zip(predicted, targets, strict=True)]
    if not shapes or any(one != other or len(one) != 3 for one, other in shapes):
        raise ValueError(f"expected equal (B, K, D) for each mask, got {shapes}")
    errors = [(precise(z) - precise(h)).abs().pow(exponent).mean((1, 2)) / exponent for z, h in zip(predicted, targets)]
    return torch.stack(errors).mean(0)


def surprise_rate(clean: Tensor, corrupted: Tensor) -> Tensor:
    """Share of clips that surprise more when corrupted, ties half: (n,) twice to 0-d; 0.5 is indifference."""
    if clean.shape != corrupted.shape or clean.ndim != 1 or not len(clean):
        raise ValueError(f"expected two equal (n,), got {tuple(clean.shape)} and {tuple(corrupted.shape)}")
    return (precise(corrupted > clean) + precise(corrupted == clean) / 2).mean()
