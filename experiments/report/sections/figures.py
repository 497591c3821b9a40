"""A drawing as a block of the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure as Drawing

from experiments.report.document import Figure
from experiments.report.style import styled, to_png

PLOTS = Path("plots")


def figure(name: str, draw: Callable[[], Drawing | None], caption: str, alt: str) -> list[Figure]:
    """Draw, unless there is nothing to show.

    Args:
        name: of the file, without ending.
        draw: makes the figure.
        caption: how to read it.
        alt: what it shows, for a reader who cannot see it.
    """
    with styled():
        drawing = draw()
        png = None if drawing is None else to_png(drawing)
    return [] if png is None else [Figure(PLOTS / f"{name}.png", png, caption, alt)]
