"""How figures look: dots and lines that stay apart without colour, and figures that no global state knows of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

# Okabe and Ito's palette without its yellow, which vanishes on white. Markers and line styles repeat with
# other periods than the colours, so that even a long list of variants keeps every combination apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
FAINT = "#d9d9d9"
WIDTH = 10.0
"""Inches."""
FLOOR: dict[str, Any] = {"color": "black", "linestyle": (0, (4, 3)), "linewidth": 1.2}
"""The majority-class rate."""

LineStyle = tuple[str, str, Any]
"""Colour, marker and line style."""
PIXELS_STYLE: LineStyle = ("#8c8c8c", "X", ":")
RANDOM_INIT_STYLE: LineStyle = ("#000000", "P", ":")
"""Controls are grey and black; the encoders of runs take the colours."""

_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "text.parse_math": False,
}


def numbered_style(position: int) -> LineStyle:
    """Style of the encoder of a run, by its place."""
    return COLOURS[position % len(COLOURS)], MARKERS[position % len(MARKERS)], LINES[position % len(LINES)]


@contextmanager
def styled() -> Iterator[None]:
    """Everything drawn within has the style of this project."""
    with rc_context(_SETTINGS):
        yield


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure; sizes in inches. Call it, and draw on it, within ``styled``."""
    return Figure(figsize=(width, height), dpi=160, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08, wspace=0.06))


def to_pixels(figure: Figure) -> np.ndarray:
    """Draw it: (H, W, 3) uint8."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def to_png(figure: Figure) -> bytes:
    """The same bytes for the same figure."""
    # Not savefig, which draws everything twice.
    _, png = cv2.imencode(".png", to_pixels(figure)[..., ::-1])
    return png.tobytes()
