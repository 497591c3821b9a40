"""Similarity of two representations of the same clips, whatever their rotation and scale.

n clips, dx and dy channels; K = XX' and L = YY' are the Gram matrices of the centred features.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vjepa.metrics.moments import CHUNK, check_features, cross_gram, row_chunks
from vjepa.metrics.products import Products


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
    found = [Products.of(each, chunk) for each in (x, y)]
    return relate(x, y, found[0], found[1], debiased, chunk)


def relate(x: Tensor, y: Tensor, of_x: Products, of_y: Products, debiased: bool = True, chunk: int = CHUNK) -> Tensor:
    """CKA of features of which the products are known."""
    check_features(x, y, rows=4)
    norm = _self_similarity(of_x, debiased) * _self_similarity(of_y, debiased)
    # sum_ij K_ij L_ij, over the smaller of the two ways to write it.
    if len(x) * (x.shape[1] + y.shape[1]) < x.shape[1] * y.shape[1]:
        total = _kernel_product(x, y, (of_x.mean, of_y.mean), chunk)
    else:
        total = cross_gram(x, y, of_x.mean, of_y.mean, chunk).square().sum()
    return torch.where(norm > 0, _hsic(total, of_x.squares, of_y.squares, debiased) / norm, torch.nan)


def _self_similarity(products: Products, debiased: bool) -> Tensor:
    """Root of HSIC(K, K), zero for features that do not vary."""
    found = _hsic(products.gram.square().sum(), products.squares, products.squares, debiased)
    return torch.where(products.spread > 0, found.clamp_min(0).sqrt(), 0.0)


def _hsic(total: Tensor, k_diagonal: Tensor, l_diagonal: Tensor, debiased: bool) -> Tensor:
    """HSIC times (n - 1)^2 if biased and times n (n - 3) if not: the factor cancels in CKA."""
    if not debiased:
        return total
    n = len(k_diagonal)
    # Without their diagonals. Rows of the centred K sum to zero, so those of K without diagonal sum to -K_ii.
    both = (k_diagonal * l_diagonal).sum()
    return total - both + k_diagonal.sum() * l_diagonal.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * both


def _kernel_product(x: Tensor, y: Tensor, means: tuple[Tensor, ...], chunk: int) -> Tensor:
    total = means[0].new_zeros(())
    for a, b in row_chunks(x, y, chunk=chunk):
        for c, e in row_chunks(x, y, chunk=chunk):
            k = (a - means[0]) @ (c - means[0]).T
            total += (k * ((b - means[1]) @ (e - means[1]).T)).sum()
    return total
