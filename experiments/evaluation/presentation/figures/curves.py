"""Degradation curves: accuracy over severity, a panel a corruption, a line an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from experiments.evaluation.analyses.order import SHUFFLE
from experiments.evaluation.conditions import CLEAN, Condition
from experiments.evaluation.presentation.boards import Board, Standing, group_of
from experiments.evaluation.presentation.figures.shared import Resampled, headline, resampled, styles_of
from experiments.evaluation.presentation.resampling import CONFIDENCE, interval
from experiments.report.panels import grid_columns, legend_below, panel_grid
from experiments.report.style import FLOOR, LineStyle, new_figure
from experiments.report.wording import spoken

_MOST_BANDS = 6
"""More of them would hide the curves."""


def draw_curves(board: Board) -> Figure | None:
    """Clean clips are severity 0; bands are intervals over clips, and the dashed line is the majority-class rate.

    More than six encoders have no bands.

    Returns:
        None where nothing was corrupted.
    """
    names = [*board.corruptions, *([SHUFFLE] if board.severities(SHUFFLE) else [])]
    if not names:
        return None
    columns = grid_columns(len(names))
    rows = -(-len(names) // columns)
    figure = new_figure(1.5 + 2.1 * rows)
    figure.suptitle(headline(board, "Accuracy over severity"), fontsize=12)
    styles = styles_of(one.stamp for one in board.standings)
    has_bands = len(board.standings) <= _MOST_BANDS
    bands = {one.stamp: resampled(one) if has_bands else {} for one in board.standings}
    axes = panel_grid(figure, len(names), columns)
    for axis, name in zip(axes, names, strict=True):
        path = [CLEAN, *((name, severity) for severity in board.severities(name))]
        for one in board.standings:
            _draw(axis, one, path, styles[one.stamp], bands[one.stamp])
        axis.axhline(100 * board.standings[0].clean.majority_rate, **FLOOR)
        where = "order probe, not in mPC" if name == SHUFFLE else group_of(name)
        axis.set_title(f"{spoken(name)}\n", fontsize=10)
        axis.text(0.5, 1.03, where, transform=axis.transAxes, ha="center", fontsize=8, color="#595959")
    ticks = sorted({0, *(severity for name in names for severity in board.severities(name))})
    axes[0].set_xticks(ticks, ["clean" if tick == 0 else str(tick) for tick in ticks])
    for axis in axes[-columns:]:
        axis.set_xlabel("severity")
    figure.supylabel("test accuracy, %", fontsize=10)
    handles = _handles(board.standings, [styles[one.stamp] for one in board.standings], any(bands.values()))
    legend_below(figure, handles)
    return figure


def _draw(axis: Axes, one: Standing, path: Sequence[Condition], style: LineStyle, bands: Resampled) -> None:
    colour, marker, line = style
    known = [condition for condition in path if condition in one.top1]
    at = [severity for _, severity in known]
    face = "white" if one.is_constant else colour
    values = [100 * one.top1[condition] for condition in known]
    axis.plot(at, values, color=colour, linestyle=line, marker=marker, markerfacecolor=face, markersize=5)
    if bands and all(condition in bands for condition in known):
        low, high = interval(100 * np.stack([bands[condition] for condition in known], axis=1))
        axis.fill_between(at, low, high, color=colour, alpha=0.08, linewidth=0)
        for edge in (low, high):
            axis.plot(at, edge, color=colour, linestyle=line, linewidth=0.5, alpha=0.5)


def _handles(standings: Sequence[Standing], styles: Sequence[LineStyle], has_bands: bool) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = []
    for one, (colour, marker, line) in zip(standings, styles, strict=True):
        face, note = ("white", " (constant predictor)") if one.is_constant else (colour, "")
        look: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": line, "markerfacecolor": face}
        handles.append(Line2D([], [], label=one.title + note, **look))
    handles.append(Line2D([], [], label="majority-class rate", **FLOOR))
    if has_bands:
        handles.append(Patch(color="#8c8c8c", alpha=0.3, linewidth=0, label=f"{100 * CONFIDENCE:g} % over clips"))
    return handles
