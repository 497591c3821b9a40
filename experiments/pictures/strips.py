"""Panels as a still: one below the other, time from left to right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.pictures.panels import PAPER, Panel, Pixels, fitted, sized, text_strip, text_width

STRIP_SIDE = 112
"""Longer side of a clip in a strip."""
MOST_STEPS = 12
"""Time steps shown; of more, so many that are evenly spread."""
_LABEL, _GAP, _SWATCH = 118, 6, 15


def over_time(panels: Sequence[Panel], num_steps: int) -> Pixels:
    """Title and notes of each panel, then its frame in the middle of each time step: (height, width, 3).

    Args:
        panels: one or more, each with as many frames as the first; all are shown as large as that.
        num_steps: T.
    """
    size = fitted(panels[0].frames.shape[1], panels[0].frames.shape[2], STRIP_SIDE)
    steps = np.arange(num_steps)
    if num_steps > MOST_STEPS:
        steps = np.linspace(0, num_steps - 1, MOST_STEPS).round().astype(np.int64)
    lines = [line for panel in panels for line in ((None, panel.title), *panel.notes)]
    label = max(_LABEL, *(text_width(text) + (0 if colour is None else _SWATCH) + _GAP for colour, text in lines))
    strips = [_strip(panel, (2 * steps + 1) * len(panel.frames) // (2 * num_steps), size, label) for panel in panels]
    width = strips[0].shape[1]
    return np.concatenate([part for strip in strips for part in (_paper(_GAP, width), strip)] + [_paper(_GAP, width)])


def _strip(panel: Panel, chosen: np.ndarray, size: tuple[int, int], label: int) -> Pixels:
    pictures = sized(panel.frames[chosen], size)
    lines = [(None, panel.title), *panel.notes]
    text = text_strip(size[0], label, lines)
    parts = [_paper(size[0], _GAP), text]
    for picture in pictures:
        parts += [picture, _paper(size[0], _GAP)]
    return np.concatenate(parts, axis=1)


def _paper(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), PAPER, np.uint8)
