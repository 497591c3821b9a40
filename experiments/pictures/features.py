"""The first principal components of patch features as colours, beside the frames they come from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from experiments.pictures.panels import PAPER, Pixels, fitted, sized, text_strip

_SIDE, _LABEL, _GAP = 112, 118, 6
_LIMITS = (0.02, 0.98)
"""Quantiles of a component that become no and full colour."""
_FLOOR = 1e-12


@dataclass(frozen=True, eq=False)
class Colours:
    """Features of several clips in one set of colours.

    Args:
        pixels: (n, T, H, W, 3) uint8; grey where there is nothing to tell apart.
        explained: share of the variance that the three components hold, in [0, 1]; NaN where there is none.
    """

    pixels: Pixels
    explained: float


def principal_colours(features: NDArray[np.floating]) -> Colours:
    """Red, green and blue by the first three principal components of all tokens of all clips together.

    The sign of a component is that of its largest weight, so that equal features have equal colours.

    Args:
        features: (n, T, H, W, C), C >= 1.
    """
    rows = torch.from_numpy(features).reshape(-1, features.shape[-1]).double()
    pixels = torch.full((len(rows), 3), 128, dtype=torch.uint8)
    rows = rows - rows.mean(dim=0)
    size = float(features.max() - features.min())
    explained = math.nan
    # Not where training has diverged, nor where it has collapsed to one vector.
    if math.isfinite(size) and size > 0:
        variance, axes = _axes(rows)
        explained = float(variance[:3].sum() / variance.sum())
        for number in range(int((variance[:3] > _FLOOR * variance[0]).sum())):
            scores = rows @ axes[:, number]
            low, high = (scores.quantile(share) for share in _LIMITS)
            pixels[:, number] = (255 * ((scores - low) / (high - low).clamp(min=_FLOOR)).clamp(0, 1)).round().byte()
    return Colours(pixels.reshape(*features.shape[:-1], 3).numpy(), explained)


def _axes(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Variances, descending, and principal axes (C, k) of centred rows (n, C), by way of their smaller side."""
    wide = len(rows) < rows.shape[1]
    values, vectors = torch.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)[:, :3]
    axes = functional.normalize(rows.T @ vectors, dim=0) if wide else vectors
    largest = axes.gather(0, axes.abs().argmax(dim=0, keepdim=True))
    return values, axes * largest.sign()


def draw_features(frames: Pixels, rows: Sequence[tuple[str, Pixels, float]]) -> Pixels:
    """A clip above its features, time steps from left to right.

    Args:
        frames: (F, H_px, W_px, 3) uint8.
        rows: title, colours (T, H, W, 3) and explained share of each part of the features.

    Returns:
        (height, width, 3) uint8.
    """
    num_steps = len(rows[0][1])
    size = fitted(frames.shape[1], frames.shape[2], _SIDE)
    middle = (2 * np.arange(num_steps) + 1) * len(frames) // (2 * num_steps)  # frame of each time step
    strips = [_strip(("clip", f"{num_steps} time steps"), sized(frames[middle], size))]
    for title, colours, explained in rows:
        share = "no variance" if np.isnan(explained) else f"{explained:.0%} of variance"
        strips.append(_strip((title, "3 components:", share), sized(colours, size)))
    gap = np.full((_GAP, strips[0].shape[1], 3), PAPER, np.uint8)
    return np.concatenate([part for strip in strips for part in (gap, strip)] + [gap])


def _strip(lines: Sequence[str], pictures: Pixels) -> Pixels:
    """Text, then pictures (T, h, w, 3), from left to right."""
    height = pictures.shape[1]
    gap = np.full((height, _GAP, 3), PAPER, np.uint8)
    parts = [gap, text_strip(height, _LABEL, [(None, line) for line in lines])]
    for picture in pictures:
        parts += [picture, gap]
    return np.concatenate(parts, axis=1)
