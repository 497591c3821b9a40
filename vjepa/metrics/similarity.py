"""Similarity of two representations of the same clips, whatever their rotation and scale.

n clips, dx and dy channels; K = XX' and L = YY' are the Gram matrices of the centred features.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vjepa.metrics.moments import CHUNK, check_features, cross_gram, mean_feature, row_chunks, spread


@torch.no_grad()
def linear_cka(x: Tensor, y: Tensor, *, debiased: bool = True, chunk: int = CHUNK) -> Tensor:
    """``HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L))``: 1 is the same up to rotation and scale, 0 is unrelated.

    The biased estimate, ``|Y'X|^2 / (|X'X| |Y'Y|)`` in Frobenius norms, finds similarity between random features when n
    is not far above their width, so it is there for comparison only.

    Args:
        x: (n, dx), n >= 4.
        y: (n, dy), the same clips.
        debiased: with the unbiased HSIC.
        chunk: clips at a time.

    Returns:
        0-d; the biased one in [0, 1], the debiased one in about [0, 1] and around 0 for unrelated features. NaN if
        either does not vary.

    Source: Kornblith et al., arXiv 1905.00414; unbiased HSIC by Song et al., JMLR 13 (2012), equation 5.
    """
    means = tuple(mean_feature(each, chunk) for each in (x, y))
    norms = [self_similarity(each, mean, debiased, chunk) for each, mean in zip((x, y), means)]
    return relate(x, y, means, norms[0], norms[1], debiased, chunk)


def self_similarity(x: Tensor, mean: Tensor, debiased: bool = True, chunk: int = CHUNK) -> Tensor:
    """HSIC(K, K), zero for features that do not vary: the half of CKA that one clean representation keeps."""
    return torch.where(spread(x, mean, chunk) > 0, _hsic(x, x, (mean, mean), debiased, chunk), 0.0)


def relate(
    x: Tensor,
    y: Tensor,
    means: tuple[Tensor, ...],
    x_norm: Tensor,
    y_norm: Tensor,
    debiased: bool = True,
    chunk: int = CHUNK,
) -> Tensor:
    """CKA from the means and self-similarities of both sides."""
    norm = x_norm.clamp_min(0).sqrt() * y_norm.clamp_min(0).sqrt()
    return torch.where(norm > 0, _hsic(x, y, means, debiased, chunk) / norm, torch.nan)


def _hsic(x: Tensor, y: Tensor, means: tuple[Tensor, ...], debiased: bool, chunk: int) -> Tensor:
    """HSIC times (n - 1)^2 if biased and times n (n - 3) if not: the factor cancels in CKA."""
    check_features(x, y, rows=4)
    n = len(x)
    # sum_ij K_ij L_ij, over the smaller of the two ways to write it.
    if n * (x.shape[1] + y.shape[1]) < x.shape[1] * y.shape[1]:
        total = _kernel_product(x, y, means, chunk)
    else:
        total = cross_gram(x, y, means[0], means[1], chunk).square().sum()
    if not debiased:
        return total
    # Without their diagonals. Rows of the centred K sum to zero, so those of K without diagonal sum to -K_ii.
    k_diagonal, l_diagonal = _squares(x, means[0], chunk), _squares(y, means[1], chunk)
    both = (k_diagonal * l_diagonal).sum()
    return total - both + k_diagonal.sum() * l_diagonal.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * both


def _squares(x: Tensor, mean: Tensor, chunk: int) -> Tensor:
    return torch.cat([(rows - mean).square().sum(1) for (rows,) in row_chunks(x, chunk=chunk)])


def _kernel_product(x: Tensor, y: Tensor, means: tuple[Tensor, ...], chunk: int) -> Tensor:
    total = means[0].new_zeros(())
    for a, b in row_chunks(x, y, chunk=chunk):
        for c, e in row_chunks(x, y, chunk=chunk):
            k = (a - means[0]) @ (c - means[0]).T
            total += (k * ((b - means[1]) @ (e - means[1]).T)).sum()
    return total
