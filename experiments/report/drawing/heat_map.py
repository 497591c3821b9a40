"""Variants x corruptions: which share of the accuracy above chance is left."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from experiments.report.drawing.shared import SOFT, numbered
from experiments.report.findings import CONTROLS, TITLES, Findings, Retained
from experiments.report.panels import legend_below
from experiments.report.style import new_figure
from experiments.report.wording import spoken
from experiments.statistics import VariantKey
from vjepa.corruptions import CORRUPTIONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEAN = "mean"
_COLOURS = colormaps["cividis"]
_HATCH = "/////"
_ROW = 0.25
_GROUPS = ("spatial", "temporal", "codec")


def draw_heat_map(findings: Findings, task: str) -> Figure | None:
    """A panel for each reading; rows are variants, columns corruptions, averaged over severities.

    Colour and number are ``(A - m) / (A_clean - m)``, m the majority-class rate: 1 is unharmed, 0 no better than
    naming one class. Hatched cells are not told apart from the baseline of the reading; blank rows have a clean
    accuracy too near to m for a ratio.

    Returns:
        None where nothing is defined.
    """
    cells = {(key, name): cell for (key, of, name), cell in findings.robustness.retained.items() if of == task}
    corruptions = sorted(
        dict.fromkeys(name for _, name in cells if name != MEAN),
        key=lambda name: _GROUPS.index(CORRUPTIONS[name].group),
    )
    if not cells:
        return None
    columns = [*corruptions, MEAN]
    controls = [key for key in CONTROLS if any(key == other for other, _ in cells)]
    most = max(len(findings.of_reading(reading)) for reading in findings.readings)
    figure = new_figure(2.5 + _ROW * (most + len(controls)), 10.0 if len(findings.readings) > 1 else 8.5)
    axes = figure.subplots(1, len(findings.readings), squeeze=False)[0]
    for axis, reading in zip(axes, findings.readings, strict=True):
        candidates = findings.of_reading(reading)
        names = [(key, TITLES[key]) for key in controls] + [(c.key, numbered(c)) for c in candidates]
        _draw(axis, names, columns, cells, 6.0 if len(findings.readings) > 1 else 8.0)
        _name_groups(axis, corruptions)
        if len(findings.readings) > 1:
            axis.set_title(f"{spoken(reading)}\n", fontsize=10, fontweight="bold")
            if axis is not axes[0] and findings.variants == tuple(c.key.variant for c in candidates):
                axis.tick_params(labelleft=False)
    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), _COLOURS), ax=list(axes), extend="both", fraction=0.02)
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.set_label("(A \u2212 m) / (clean \u2212 m)")
    patches = []
    if any(cell.told_apart is False for cell in cells.values()):
        label = "not told apart from the baseline (95 % over seeds and clips, each cell by itself)"
        patches.append(Patch(facecolor="white", edgecolor="black", hatch=_HATCH, label=label))
    patches.append(Patch(facecolor="white", edgecolor="#bbbbbb", label="blank: clean accuracy too near to chance"))
    legend_below(figure, patches)
    return figure


def _draw(
    axis: Axes,
    names: Sequence[tuple[VariantKey, str]],
    columns: Sequence[str],
    cells: dict[tuple[VariantKey, str], Retained],
    size: float,
) -> None:
    for row, (key, _) in enumerate(names):
        for column, name in enumerate(columns):
            cell = cells.get((key, name))
            if cell is None:
                continue
            colour = _COLOURS(min(1.0, max(0.0, cell.value)))
            ink = "black" if cell.value > 0.55 else "white"
            hatch = _HATCH if cell.told_apart is False else None
            place = (column - 0.48, row - 0.46)
            edge = "#ffffff99" if ink == "white" else "#00000066"
            axis.add_patch(Rectangle(place, 0.96, 0.92, facecolor=colour, edgecolor=edge, hatch=hatch, linewidth=0))
            box = {"facecolor": colour, "edgecolor": "none", "pad": 0.6}
            axis.text(
                column, row, _short(cell.value), ha="center", va="center", fontsize=size, color=ink, bbox=box,
            )  # fmt: skip
    axis.set_xlim(-0.5, len(columns) - 0.5)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_yticks(range(len(names)), [title for _, title in names], fontsize=8)
    axis.set_xticks(range(len(columns)), [spoken(name) for name in columns], rotation=50, ha="right", fontsize=8)
    axis.grid(visible=False)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def _short(value: float) -> str:
    """``.42``, which fits a small cell."""
    text = f"{abs(round(value, 2)):.2f}"
    return ("\u2212" if round(value, 2) < 0 else "") + text.removeprefix("0")


def _name_groups(axis: Axes, corruptions: Sequence[str]) -> None:
    at = 0
    for group, members in groupby(corruptions, key=lambda name: CORRUPTIONS[name].group):
        width = len(list(members))
        axis.text(at + width / 2 - 0.5, -0.6, group, ha="center", va="bottom", fontsize=8, color=SOFT)
        at += width
        axis.axvline(at - 0.5, color="black", linewidth=1.0)
