"""Short labels beside marks, where they hide neither marks nor one another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE = 7.5
_WIDTH, _HEIGHT = 0.62 * _SIZE, 1.15 * _SIZE
"""Of a letter in points."""
_MARK = 4.0
"""Half the size of a mark in points."""
_DISTANCES = (8.0, 15.0, 24.0)
"""Of the near side of a label from the middle of its mark; the farther ones are joined by a line."""

Box = tuple[float, float, float, float]
"""Left, bottom, right, top in points."""


def place_labels(axis: Axes, points: Sequence[tuple[float, float, str]], *, crosses: bool = False) -> None:
    """Write each label near its point, in the freest of 24 places around it.

    Args:
        axis: with its limits as they will stay; they are fixed here.
        points: x, y and text.
        crosses: lines run through the marks to all four sides, so that labels keep to the diagonals.
    """
    if not points:
        return
    axis.set_xlim(axis.get_xlim())
    axis.set_ylim(axis.get_ylim())
    figure = axis.get_figure(root=True)
    assert figure is not None
    # The layout has not moved the panel to its place yet, but distances are near enough.
    to_points = 72 / figure.dpi
    marks = axis.transData.transform([(x, y) for x, y, _ in points]) * to_points
    left, bottom, right, top = np.asarray(axis.get_window_extent().extents) * to_points
    taken: list[Box] = [(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in marks]
    for (x, y, text), (middle, height) in zip(points, marks, strict=True):
        best, cost = (0.0, 0.0), np.inf
        near = True
        for distance, (across, up) in product(_DISTANCES, _directions()):
            wide = _WIDTH * len(text) / 2
            centre = (across * (distance + wide), up * (distance if across else distance + 1))
            box = _around(middle + centre[0], height + centre[1], wide)
            outside = box[0] < left or box[2] > right or box[1] < bottom or box[3] > top
            hidden = sum(_overlap(box, other) for other in taken)
            worth = hidden + 1000 * outside + 2 * distance + 15 * (crosses and 0 in (across, up))
            if worth < cost:
                best, cost, near = centre, worth, distance == _DISTANCES[0]
        taken.append(_around(middle + best[0], height + best[1], _WIDTH * len(text) / 2))
        arrow = {"arrowstyle": "-", "linewidth": 0.5, "color": "#8c8c8c", "shrinkA": 0, "shrinkB": 3}
        axis.annotate(
            text, (x, y), xytext=best, textcoords="offset points", ha="center", va="center", fontsize=_SIZE, zorder=5,
            arrowprops=None if near else arrow, annotation_clip=False,
        )  # fmt: skip


def _directions() -> list[tuple[float, float]]:
    """Right and left first: there a label reads best."""
    return [(1, 0), (-1, 0), (0, 1), (0, -1), (0.6, 0.8), (-0.6, 0.8), (0.6, -0.8), (-0.6, -0.8)]


def _around(x: float, y: float, wide: float) -> Box:
    return (x - wide, y - _HEIGHT / 2, x + wide, y + _HEIGHT / 2)


def _overlap(one: Box, other: Box) -> float:
    """Shared area."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)
