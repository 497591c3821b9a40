"""How much of its width a representation uses: the numbers that make a collapse visible.

n features (rows) of width d throughout; every function returns a 0-d float32 tensor on the device of the
features, without gradient and without reading it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

RANKME_EPS = 1e-7
DEAD_STD = 0.01


def rankme(features: Tensor, eps: float = RANKME_EPS) -> Tensor:
    """Effective rank ``exp(-sum_k p_k log p_k)``, ``p_k = sigma_k / sum(sigma) + eps``, not centred.

    Args:
        features: (n, d).
        eps: keeps the logarithm finite.

    Returns:
        Between 1 (one direction) and min(n, d) (isotropic).

    Source: Garrido et al., arXiv 2210.02885, equation 1.
    """
    with _full_precision(features) as x:
        # Squared singular values are the eigenvalues of the smaller of X'X and XX'.
        gram = x.T @ x if x.shape[0] >= x.shape[1] else x @ x.T
        singular = torch.linalg.eigvalsh(gram).clamp_min(0).sqrt()
        shares = singular / singular.sum().clamp_min(torch.finfo(singular.dtype).tiny) + eps
        return torch.special.entr(shares).sum().exp().float()


def participation_ratio(features: Tensor) -> Tensor:
    """``(tr C)^2 / tr(C^2)`` of the covariance C: the number of directions that share the variance.

    Args:
        features: (n, d), n >= 2.

    Returns:
        Between 1 and min(n - 1, d), or 0 when nothing varies.
    """
    with _full_precision(features) as x:
        centred = x - x.mean(0)
        gram = centred.T @ centred if x.shape[0] >= x.shape[1] else centred @ centred.T
        return (gram.trace().square() / gram.square().sum().clamp_min(torch.finfo(gram.dtype).tiny)).float()


def feature_std(features: Tensor) -> Tensor:
    """Mean over dimensions of the standard deviation over the n features, (n, d) with n >= 2."""
    with _full_precision(features) as x:
        return x.std(0).mean().float()


def dead_ratio(features: Tensor, threshold: float = DEAD_STD) -> Tensor:
    """Share of dimensions whose standard deviation over n >= 2 features (n, d) is below ``threshold``."""
    with _full_precision(features) as x:
        return (x.std(0) < threshold).float().mean()


@contextmanager
def _full_precision(features: Tensor) -> Iterator[Tensor]:
    if features.ndim != 2:
        raise ValueError(f"features must be (n, d), got {tuple(features.shape)}")
    # A root of an eigenvalue loses half the digits, hence float64 wherever the device has it.
    dtype = torch.float32 if features.device.type == "mps" else torch.float64
    with torch.no_grad(), torch.autocast(features.device.type, enabled=False):
        yield features.detach().to(dtype)
