"""Noise, redrawn for every frame; one field serves all severities of a video."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from scipy.stats import poisson
from torch import Tensor

from vjepa.corruptions.base import BatchCorruption, Shape
from vjepa.corruptions.filters import to_uint8

_UNIFORM_STEPS = 2**16


def gaussian_noise(frames: Tensor, sigma: float, normal: Tensor) -> Tensor:
    """Add independent normal noise of standard deviation ``sigma`` (on the scale [0, 1]) to every value.

    x' = x + 255 sigma n, with n drawn for each value of each frame, rounded and clipped to [0, 255].

    Source: ImageNet-C (Hendrycks and Dietterich, arXiv 1903.12261).
    """
    # Two steps: a fused multiply-add would round otherwise than the CPU.
    return to_uint8((normal * (255.0 * sigma)).add_(frames))


def speckle_noise(frames: Tensor, sigma: float, normal: Tensor) -> Tensor:
    """Add normal noise in proportion to each value: x' = x (1 + sigma n).

    Source: SSv2-P (Schiappa et al., arXiv 2207.01398), whose levels end at .35 where those of ImageNet-C end at .6.
    """
    return to_uint8((normal * sigma).mul_(frames).add_(frames))


def impulse_noise(frames: Tensor, amount: float, uniform: Tensor) -> Tensor:
    """Set a share ``amount`` of all values to black or white, each half of the time.

    Source: ImageNet-C.
    """
    peppered = frames.masked_fill(uniform < amount / 2, 0)
    return peppered.masked_fill_(uniform >= 1 - amount / 2, 255)


def shot_noise(frames: Tensor, photons: float, quantile: Tensor) -> Tensor:
    """Replace each value by a Poisson count whose mean is ``photons`` at white.

    Source: ImageNet-C and Mini SSV2-C (Yi et al., arXiv 2110.06513) from 60 to 3 photons; SSv2-P from 250 to 15.
    Differs: counts are quantiles of one uniform number of 16 bits a value, so that severities are nested.
    """
    table = torch.from_numpy(_poisson_levels(photons)).to(frames.device)
    return table[frames.int() * _UNIFORM_STEPS + quantile.int()]


@lru_cache(maxsize=2)
def _poisson_levels(photons: float) -> np.ndarray:
    """(256 * 2^16,) uint8: the grey level that value v becomes at quantile q, at position v * 2^16 + q."""
    counts = np.arange(int(photons + 12 * photons**0.5 + 12))
    below = poisson.cdf(counts, np.arange(256)[:, None] / 255 * photons)
    ends = np.ceil(below * _UNIFORM_STEPS - 0.5).astype(np.int64)
    ends[:, -1] = _UNIFORM_STEPS
    levels = np.rint(np.minimum(counts / photons, 1) * 255).astype(np.uint8)
    return np.repeat(np.tile(levels, 256), np.diff(ends, axis=1, prepend=0).ravel())


def _normal(generator: np.random.Generator, shape: Shape) -> tuple[np.ndarray]:
    return (generator.standard_normal((*shape, 3), dtype=np.float32),)


def _uniform(generator: np.random.Generator, shape: Shape) -> tuple[np.ndarray]:
    return (generator.random((*shape, 3), dtype=np.float32),)


def _quantile(generator: np.random.Generator, shape: Shape) -> tuple[np.ndarray]:
    return (generator.integers(0, _UNIFORM_STEPS, (*shape, 3), dtype=np.uint16),)


NOISE = (
    BatchCorruption(
        "gaussian_noise",
        "spatial",
        "model",
        "standard deviation (white is 1)",
        (0.08, 0.12, 0.18, 0.26, 0.38),
        gaussian_noise,
        _normal,
    ),
    BatchCorruption("shot_noise", "spatial", "model", "photons at white", (60, 25, 12, 5, 3), shot_noise, _quantile),
    BatchCorruption(
        "shot_noise_mild", "spatial", "model", "photons at white", (250, 100, 50, 30, 15), shot_noise, _quantile
    ),
    BatchCorruption(
        "impulse_noise", "spatial", "model", "share of values", (0.03, 0.06, 0.09, 0.17, 0.27), impulse_noise, _uniform
    ),
    BatchCorruption(
        "speckle_noise",
        "spatial",
        "model",
        "standard deviation / value",
        (0.15, 0.2, 0.25, 0.3, 0.35),
        speckle_noise,
        _normal,
    ),
)
