"""Collapse diagnostics while training: a small panel for each variant, the baseline in grey behind it."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.report.drawing.shared import colour_of
from experiments.report.findings import Candidate, Findings
from experiments.report.panels import grid_columns, legend_below, panel_grid
from experiments.report.scalars import Scalars
from experiments.report.style import new_figure
from experiments.report.wording import spoken
from experiments.statistics import VariantKey

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DASHES: tuple[Any, ...] = ("-", (0, (4, 2)))
"""By reading."""
_BEHIND = "#9a9a9a"


def draw_collapse(findings: Findings, quantity: str, label: str) -> Figure | None:
    """One line a seed, running means over a twentieth of the logged values, all panels on one scale.

    Args:
        findings: of an ablation.
        quantity: a name of their curves.
        label: of the vertical axis.

    Returns:
        None where nothing was logged.
    """
    having = [c for c in findings.candidates if quantity in findings.curves.get(c.key, {})]
    variants = list(dict.fromkeys(candidate.key.variant for candidate in having))
    if not variants:
        return None
    columns = grid_columns(len(variants), most=6 if len(variants) > 12 else 4)
    rows = -(-len(variants) // columns)
    figure = new_figure(1.2 + (1.35 if columns > 4 else 1.7) * rows)
    axes = panel_grid(figure, len(variants), columns)
    for axis, variant in zip(axes, variants, strict=True):
        mine = [candidate for candidate in having if candidate.key.variant == variant]
        for reading in dict.fromkeys(candidate.key.reading for candidate in mine):
            if variant != "baseline":
                _draw(axis, findings, VariantKey("baseline", reading), quantity, _BEHIND, 0.8)
        for candidate in mine:
            _draw(axis, findings, candidate.key, quantity, colour_of(candidate), 1.3)
        title = f"{mine[0].number}  {mine[0].title}"
        axis.set_title(fill(title, 150 // columns), fontsize=8 if columns > 4 else 9)
        axis.tick_params(labelsize=8)
        axis.locator_params(axis="x", nbins=4)
    for axis in axes[-columns:]:
        axis.set_xlabel("step", fontsize=9)
    figure.supylabel(label, fontsize=10)
    legend_below(figure, _handles(findings, having))
    return figure


def _draw(axis: Axes, findings: Findings, key: VariantKey, quantity: str, colour: str, width: float) -> None:
    dash = _DASHES[findings.readings.index(key.reading) % 2]
    for scalars in findings.curves.get(key, {}).get(quantity, ()):
        axis.plot(scalars.steps, _running_mean(scalars), color=colour, linestyle=dash, linewidth=width, alpha=0.85)


def _handles(findings: Findings, candidates: Sequence[Candidate]) -> list[Line2D]:
    handles = []
    for reading in findings.readings:
        dash = _DASHES[findings.readings.index(reading) % 2]
        for factorized in (False, True):
            found = [c for c in candidates if c.key.reading == reading and c.is_factorized == factorized]
            if found:
                name = "factorized" if factorized else "not factorized"
                label = f"{name}, {spoken(reading)}" if len(findings.readings) > 1 else name
                handles.append(Line2D([], [], color=colour_of(found[0]), linestyle=dash, label=label))
    return [*handles, Line2D([], [], color=_BEHIND, linewidth=0.8, label="baseline")]


def _running_mean(scalars: Scalars) -> np.ndarray:
    """Centred mean over a twentieth of the values; shorter at the ends."""
    values = np.asarray(scalars.values, dtype=float)
    half = max(0, round(len(values) / 40))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    low, high = np.maximum(index - half, 0), np.minimum(index + half + 1, len(values))
    return np.asarray((sums[high] - sums[low]) / (high - low))
