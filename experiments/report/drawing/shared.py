"""What the pictures of a report share: how a candidate looks, rows of candidates, legends.

Colour and shape say the same twice, so that neither colour vision nor a colour printer is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

from matplotlib.lines import Line2D

from experiments.report.findings import PIXELS, RANDOM_INIT, Candidate, Findings
from experiments.report.style import FAINT, FLOOR, PIXELS_STYLE, RANDOM_INIT_STYLE
from experiments.report.wording import spoken
from experiments.statistics import VariantKey

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WHOLE_COLOUR, FACTORIZED_COLOUR = "#0072B2", "#D55E00"
UNTESTED = "#8c8c8c"
"""Of what one seed leaves without an interval."""
SOFT = "#595959"
_SHAPES = {(0, False): "o", (0, True): "^", (1, False): "s", (1, True): "D"}
_LABEL_LETTERS = 26


def colour_of(candidate: Candidate) -> str:
    """By its layout."""
    return FACTORIZED_COLOUR if candidate.is_factorized else WHOLE_COLOUR


def shape_of(findings: Findings, candidate: Candidate) -> str:
    """By its reading and its layout."""
    return _SHAPES[findings.readings.index(candidate.key.reading) % 2, candidate.is_factorized]


def numbered(candidate: Candidate) -> str:
    """Number and name, as rows of pictures carry them; long names are broken."""
    return fill(f"{candidate.number}  {candidate.title}", _LABEL_LETTERS, break_long_words=True)


def frame_rows(axis: Axes, labels: Sequence[str], *, labelled: bool = True) -> None:
    """One row a label, from top to bottom, with faint lines between them."""
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.set_yticks(range(len(labels)), labels if labelled else [""] * len(labels))
    axis.tick_params(axis="y", length=0)
    axis.grid(visible=False, axis="y")
    for row in range(1, len(labels)):
        axis.axhline(row - 0.5, color=FAINT, linewidth=0.6, zorder=0)


def looks(findings: Findings, *, with_controls: Sequence[VariantKey] = (), floor: bool = False) -> list[Line2D]:
    """Legend of the candidates' colours and shapes, only of those that are there, and of controls."""
    handles = []
    for reading in findings.readings:
        for factorized in (False, True):
            found = [c for c in findings.of_reading(reading) if c.is_factorized == factorized]
            if found:
                layout = "factorized" if factorized else "not factorized"
                label = f"{layout}, {spoken(reading)}" if len(findings.readings) > 1 else layout
                handles.append(mark(colour_of(found[0]), shape_of(findings, found[0]), label))
    for key, (colour, shape, _), label in (
        (RANDOM_INIT, RANDOM_INIT_STYLE, "random init"),
        (PIXELS, PIXELS_STYLE, "pixels"),
    ):
        if key in with_controls:
            handles.append(mark(colour, shape, label))
    if floor:
        handles.append(Line2D([], [], label="majority-class rate", **FLOOR))
    return handles


def draw_floor(axis: Axes, floor: float, *, upright: bool) -> None:
    """Majority-class rate as a line, or as a note at the edge where it lies far below what is compared.

    Args:
        axis: with everything else drawn on it.
        floor: in the units of the axis.
        upright: the rate is on the horizontal axis.
    """
    low, high = axis.get_xlim() if upright else axis.get_ylim()
    if floor > low - 0.35 * (high - low):
        (axis.axvline if upright else axis.axhline)(floor, **FLOOR)
        (axis.set_xlim if upright else axis.set_ylim)(min(low, floor - 0.04 * (high - low)), high)
        return
    (axis.set_xlim if upright else axis.set_ylim)(low, high)
    arrow = "\u2190" if upright else "\u2193"
    look: dict[str, Any] = {"transform": axis.transAxes, "fontsize": 7, "color": SOFT, "va": "bottom"}
    text = f"{arrow} majority class {floor:.0f}"
    axis.text(*((0.01, 0.01) if upright else (0.99, 0.01)), text, ha="left" if upright else "right", **look)


def mark(colour: str, shape: str, label: str, face: str | None = None) -> Line2D:
    """A legend entry of a mark without a line."""
    look: dict[str, Any] = {"markerfacecolor": face} if face else {}
    return Line2D([], [], color=colour, marker=shape, linestyle="", label=label, **look)


def dodged(findings: Findings, reading: str) -> float:
    """Shift of a mark within the row of its variant: readings stand below one another."""
    count = len(findings.readings)
    return 0.0 if count == 1 else 0.36 * (findings.readings.index(reading) / (count - 1) - 0.5)
