"""Means and products of many features, in double precision and a few rows at a time.

n clips (rows), d channels. Features may be of any floating dtype, on any device, and memory-mapped: never more than
``CHUNK`` rows are held in double precision.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

CHUNK = 2048
RESOLUTION = 1e-5
"""Features whose spread is below this share of their length are constant up to rounding."""


def precise(x: Tensor) -> Tensor:
    """The same numbers in float64, or float32 where the device has nothing better."""
    return x.to(torch.float32 if x.device.type == "mps" else torch.float64)


def check_features(*features: Tensor, rows: int = 1) -> None:
    """Refuse anything but (n, d) features of the same n, n >= ``rows``.

    Raises:
        ValueError: with the shapes that were given.
    """
    shapes = " and ".join(str(tuple(x.shape)) for x in features)
    if any(x.ndim != 2 for x in features):
        raise ValueError(f"features must be (n, d), got {shapes}")
    if len({len(x) for x in features}) != 1:
        raise ValueError(f"features of the same n clips are compared, got {shapes}")
    if len(features[0]) < rows:
        raise ValueError(f"at least {rows} clips are needed, got {shapes}")


def row_chunks(*features: Tensor, chunk: int = CHUNK) -> Iterator[tuple[Tensor, ...]]:
    """The same rows of each (n, d), at most ``chunk`` at a time, in double precision."""
    for start in range(0, len(features[0]), chunk):
        yield tuple(precise(x[start : start + chunk]) for x in features)


@torch.no_grad()
def mean_feature(features: Tensor, chunk: int = CHUNK) -> Tensor:
    """Mean over clips, (n, d) to (d,)."""
    check_features(features)
    total = precise(features.new_zeros(features.shape[1]))
    for (rows,) in row_chunks(features, chunk=chunk):
        total += rows.sum(0)
    return total / len(features)


@torch.no_grad()
def cross_gram(x: Tensor, y: Tensor, x_mean: Tensor, y_mean: Tensor, chunk: int = CHUNK) -> Tensor:
    """``sum_i (x_i - x_mean) (y_i - y_mean)'``, (n, dx) and (n, dy) to (dx, dy)."""
    check_features(x, y)
    total = precise(x.new_zeros(x.shape[1], y.shape[1]))
    for a, b in row_chunks(x, y, chunk=chunk):
        total.addmm_((a - x_mean).T, b - y_mean)
    return total


@torch.no_grad()
def smaller_gram(features: Tensor, mean: Tensor | None = None, chunk: int = CHUNK) -> Tensor:
    """The smaller of X'X (d, d) and XX' (n, n), whose nonzero eigenvalues are the same.

    Args:
        features: (n, d).
        mean: (d,) taken off first; None leaves the features as they are.
        chunk: rows at a time.
    """
    check_features(features)
    n, d = features.shape
    mean = precise(features.new_zeros(d)) if mean is None else mean
    if n >= d:
        return cross_gram(features, features, mean, mean, chunk)
    rows = precise(features) - mean  # n < d: no larger than the Gram matrix of the other side
    return rows @ rows.T


@torch.no_grad()
def spread(features: Tensor, mean: Tensor | None = None, chunk: int = CHUNK) -> Tensor:
    """Root mean squared distance to the mean, the square root of the trace of the covariance: (n, d) to 0-d.

    Exactly zero for features that are constant up to rounding, so that a collapsed representation is recognised.
    """
    mean = mean_feature(features, chunk) if mean is None else mean
    total = sum((rows - mean).square().sum() for (rows,) in row_chunks(features, chunk=chunk))
    found = torch.as_tensor(total / len(features)).sqrt()
    return torch.where(found > RESOLUTION * mean.norm(), found, torch.zeros_like(found))
