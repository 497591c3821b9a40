"""How alike the time steps of a clip are in z_app and in z_dyn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from experiments.pictures.panels import Pixels
from experiments.report.style import new_figure, styled, to_pixels

_COLOURS = "cividis"
_MOST_NUMBERED = 8
"""Time steps up to which the cells carry their numbers."""
_PANEL, _LINE = 2.3, 0.16
"""Inches of a matrix and of a line of text."""
_POINTS, _DIGIT = 72, 0.7
"""Points of an inch, and the room of a digit in sizes of its font."""
_LEAST = 1e-3
"""Smallest range of the colours."""


@dataclass(frozen=True, eq=False)
class Halves:
    """Both halves of the latent of one clip, spatially pooled.

    Args:
        title: of the row.
        app, dyn: (T, channels).
        is_control: whether the latent was never trained to be divided this way.
    """

    title: str
    app: NDArray[np.floating]
    dyn: NDArray[np.floating]
    is_control: bool


@dataclass(frozen=True)
class Scale:
    """From which similarity to 1 the colours go, and how many decimals tell values apart."""

    low: float
    decimals: int

    @classmethod
    def of(cls, lowest: float) -> Scale:
        """A round range that holds the lowest similarity: 0.83 gives 0.8, 0.994 gives 0.994."""
        spread = max(1 - lowest, _LEAST)
        power = math.floor(math.log10(spread))
        low = 1 - math.ceil(round(spread / 10**power, 6)) * 10**power
        return cls(low, max(2, 1 - power))


def cosine_matrix(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cosines ``x_s . x_t / (|x_s| |x_t|)`` of the rows of (T, C), as (T, T); 0 for a row that has no direction."""
    rows = features.astype(np.float64)
    rows[~np.isfinite(rows).all(axis=1)] = 0
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    units = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    return np.clip(units @ units.T, -1, 1)


def draw_similarity(rows: Sequence[Halves], num_frames: int, legend: Sequence[str] = ()) -> Pixels:
    """Time by time similarities, z_app on the left and z_dyn on the right, in one set of colours: (H, W, 3).

    Args:
        rows: one or more clips, or encoders of one clip.
        num_frames: F of a clip, of which the axes tell.
        legend: lines below.
    """
    matrices = [(row, [cosine_matrix(half) for half in (row.app, row.dyn)]) for row in rows]
    scale = Scale.of(min(float(matrix.min()) for _, pair in matrices for matrix in pair))
    with styled():
        height = 0.5 + (_PANEL + 0.35) * len(rows) + _LINE * len(legend)
        figure = new_figure(height, 2 * _PANEL + 1.9)
        axes = figure.subplots(len(rows), 2, squeeze=False)
        for (row, pair), line in zip(matrices, axes, strict=True):
            names = ("first half of levels", "second half") if row.is_control else ("z_app", "z_dyn")
            for axis, name, matrix in zip(line, names, pair, strict=True):
                image = _draw(axis, matrix, scale, num_frames)
                axis.set_title(f"{name}: mean {_off_diagonal(matrix):.3f}", fontsize=9)
            note = "\ncontrol: not factorized" if row.is_control else ""
            line[0].set_ylabel(f"{row.title}{note}", fontsize=8)
        for axis in axes[-1]:
            axis.set_xlabel("frames", fontsize=8)
        bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02)
        bar.outline.set_visible(False)  # type: ignore[operator]
        bar.set_label("cosine similarity of time steps", fontsize=8)
        bar.ax.tick_params(labelsize=7)
        figure.supxlabel("\n".join(legend), x=0.01, ha="left", fontsize=8)
        return to_pixels(figure)


def _draw(axis: Axes, matrix: NDArray[np.float64], scale: Scale, num_frames: int) -> AxesImage:
    num_steps = len(matrix)
    image = axis.imshow(matrix, cmap=_COLOURS, vmin=scale.low, vmax=1)
    every = max(1, num_steps // 4)
    labels = [_span(step, num_steps, num_frames) for step in range(0, num_steps, every)]
    axis.set_xticks(range(0, num_steps, every), labels, fontsize=7)
    axis.set_yticks(range(0, num_steps, every), labels, fontsize=7)
    axis.grid(visible=False)
    axis.tick_params(length=2)
    axis.spines[:].set_visible(False)
    if num_steps <= _MOST_NUMBERED:
        room = _POINTS * _PANEL / num_steps
        size = min(7.0, room / (_DIGIT * (scale.decimals + 2)))
        for (row, column), value in np.ndenumerate(matrix):
            ink = "black" if (value - scale.low) / (1 - scale.low) > 0.5 else "white"
            text = f"{value:.{scale.decimals}f}"
            axis.text(column, row, text, ha="center", va="center", fontsize=size, color=ink)
    return image


def _span(step: int, num_steps: int, num_frames: int) -> str:
    """First and last frame of a time step, counted from 1."""
    first, last = step * num_frames // num_steps + 1, (step + 1) * num_frames // num_steps
    return f"{first}" if first >= last else f"{first}\u2013{last}"


def _off_diagonal(matrix: NDArray[np.float64]) -> float:
    """Mean similarity of two different time steps; 1 where there is one alone."""
    n = len(matrix)
    return float((matrix.sum() - np.trace(matrix)) / (n * (n - 1))) if n > 1 else 1.0
