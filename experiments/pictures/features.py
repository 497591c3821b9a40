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

from experiments.pictures.overlays import steps_of
from experiments.pictures.panels import SIDE, Panel, Pixels, fitted, sized
from experiments.pictures.strips import STRIP_SIDE, over_time

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
    """A clip above its features, time steps from left to right: (height, width, 3); arguments as ``feature_panels``."""
    return over_time(feature_panels(frames, rows, STRIP_SIDE), len(rows[0][1]))


def feature_panels(frames: Pixels, rows: Sequence[tuple[str, Pixels, float]], side: int = SIDE) -> list[Panel]:
    """A clip, then its features.

    Args:
        frames: (F, H_px, W_px, 3) uint8.
        rows: title, colours (T, H, W, 3) and explained share of each part of the features.
        side: of a panel, in pixels.
    """
    num_steps = len(rows[0][1])
    size = fitted(frames.shape[1], frames.shape[2], side)
    panels = [Panel("clip", sized(frames, size), ((None, f"{num_steps} time steps"),))]
    for title, colours, explained in rows:
        share = "no variance" if np.isnan(explained) else f"{explained:.0%} of variance"
        moving = sized(colours, size)[steps_of(len(frames), num_steps)]
        panels.append(Panel(title, moving, ((None, "3 components:"), (None, share))))
    return panels
