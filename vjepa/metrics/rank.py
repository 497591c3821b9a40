"""How much of its width a representation uses: the numbers that make a collapse visible.

n features (rows) of width d throughout; every function returns a 0-d float32 tensor on the device of the
features, without gradient and without reading it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from vjepa.metrics.moments import check_features, mean_feature, row_chunks, smaller_gram
from vjepa.metrics.products import Products

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
        return effective_rank(smaller_gram(x), eps)


def effective_rank(gram: Tensor, eps: float = RANKME_EPS) -> Tensor:
    """``rankme`` of features with this Gram matrix, X'X or XX', not centred and in double precision."""
    # Squared singular values are its eigenvalues. A root of an eigenvalue loses half the digits.
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
        return shared_variance(Products.of(x))


def shared_variance(products: Products) -> Tensor:
    """``participation_ratio`` of the features with these products."""
    total = products.squares.sum()
    ratio = total.square() / products.gram.square().sum().clamp_min(torch.finfo(total.dtype).tiny)
    return torch.where(products.spread > 0, ratio, 0).float()


def alpha_req(features: Tensor, first: int = 1, last: int | None = None) -> Tensor:
    """Decay of the spectrum: minus the least-squares slope of ``log lambda_i`` on ``log i``; near 1 is good.

    Args:
        features: (n, d), n >= 3.
        first, last: ranks i between which the line is fitted, counted from 1 and inclusive; ``last`` is min(n - 1, d)
            by default. The tail of a spectrum from few clips falls off by sampling alone: set ``last`` well below n.

    Returns:
        At least 0; NaN when fewer than two directions in the range vary.

    Raises:
        ValueError: the range holds fewer than two ranks.

    Source: Agrawal et al., NeurIPS 2022 (alpha-ReQ). Differs: plain least squares over the whole range by default.
    """
    with _full_precision(features) as x:
        last = min(len(x) - 1, x.shape[1]) if last is None else last
        if not 1 <= first < last <= min(len(x) - 1, x.shape[1]):
            raise ValueError(
                f"expected 1 <= first < last <= min(n - 1, d), got {first} and {last} for {tuple(x.shape)}"
            )
        spectrum = torch.linalg.eigvalsh(smaller_gram(x, mean_feature(x))).flip(0)
        rank = torch.arange(first, last + 1, device=x.device, dtype=spectrum.dtype).log()
        # Below rounding an eigenvalue says nothing.
        used = spectrum[first - 1 : last] > spectrum[0].clamp_min(0) * len(spectrum) * torch.finfo(spectrum.dtype).eps
        used &= spectrum[first - 1 : last] > 0
        weight = used.to(rank.dtype)
        level = torch.where(used, spectrum[first - 1 : last], 1).log()
        rank = rank - (weight * rank).sum() / weight.sum()
        # 0 / 0 with one direction or none.
        return -((weight * rank * level).sum() / (weight * rank.square()).sum()).float()


def feature_std(features: Tensor) -> Tensor:
    """Mean over dimensions of the standard deviation over the n features, (n, d) with n >= 2."""
    with _full_precision(features) as x:
        return _std(x).mean().float()


def dead_ratio(features: Tensor, threshold: float = DEAD_STD) -> Tensor:
    """Share of dimensions whose standard deviation over n >= 2 features (n, d) is below ``threshold``."""
    with _full_precision(features) as x:
        return (_std(x) < threshold).float().mean()


def mean_pairwise_cosine(features: Tensor) -> Tensor:
    """Mean cosine between different features, (n, d) with n >= 2: near 1 when they share one direction.

    It equals ``(|sum_i u_i|^2 - sum_i |u_i|^2) / (n (n - 1))`` with the unit vectors u, zero for a zero feature.
    """
    with _full_precision(features) as x:
        units = [torch.nn.functional.normalize(rows, dim=1, eps=1e-30) for (rows,) in row_chunks(x)]
        total = torch.stack([each.sum(0) for each in units]).sum(0).square().sum()
        own = torch.stack([each.square().sum() for each in units]).sum()
        return ((total - own) / (len(x) * (len(x) - 1))).float()


def _std(features: Tensor) -> Tensor:
    mean = mean_feature(features)
    squares = torch.stack([(rows - mean).square().sum(0) for (rows,) in row_chunks(features)]).sum(0)
    return (squares / (len(features) - 1)).sqrt()


@contextmanager
def _full_precision(features: Tensor) -> Iterator[Tensor]:
    check_features(features)
    with torch.no_grad(), torch.autocast(features.device.type, enabled=False):
        yield features.detach()
