"""Clean accuracy against mPC: the robust line is the diagonal."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from experiments.evaluation.conditions import CLEAN
from experiments.evaluation.presentation.boards import Board, Standing
from experiments.evaluation.presentation.figures.shared import (
    headline,
    is_complete,
    over_severities,
    resampled,
    styles_of,
)
from experiments.evaluation.presentation.resampling import CONFIDENCE, interval
from experiments.report.style import FAINT, FLOOR, new_figure


def draw_scatter(board: Board, profile: str) -> Figure | None:
    """An encoder on the diagonal loses nothing; crosses are intervals over clips.

    Args:
        board: judged under exactly the conditions of ``profile``, order probes aside.
        profile: name of it.

    Returns:
        None where no encoder has an mPC of this profile.
    """
    shown = [one for one in board.standings if math.isfinite(one.summary("mpc", profile))]
    if not shown:
        return None
    figure = new_figure(5.6, 7.6)
    figure.suptitle(headline(board, "Clean against corrupted"), fontsize=12)
    axis = figure.subplots()
    styles = styles_of(one.stamp for one in board.standings)
    handles, edges = [], [100 * shown[0].clean.majority_rate]
    for one in shown:
        colour, marker, _ = styles[one.stamp]
        x, y = 100 * one.clean.value, 100 * one.summary("mpc", profile)
        face, note = ("white", " (constant predictor)") if one.is_constant else (colour, "")
        spread = _spread(board, one)
        if spread is not None:
            (x_low, x_high), (y_low, y_high) = spread
            axis.plot([x_low, x_high], [y, y], color=colour, linewidth=1, alpha=0.6)
            axis.plot([x, x], [y_low, y_high], color=colour, linewidth=1, alpha=0.6)
            edges += [x_low, x_high, y_low, y_high]
        axis.plot(x, y, color=colour, marker=marker, markersize=9, markerfacecolor=face, zorder=3)
        edges += [x, y]
        look: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": "", "markerfacecolor": face}
        handles.append(Line2D([], [], label=one.title + note, **look))
    room = max(2.0, 0.06 * (max(edges) - min(edges)))
    low, high = max(0.0, min(edges) - room), min(100.0, max(edges) + room)
    axis.plot([low, high], [low, high], color="#8c8c8c", linewidth=1, zorder=1)
    axis.axhline(100 * shown[0].clean.majority_rate, **FLOOR)
    axis.axvline(100 * shown[0].clean.majority_rate, **FLOOR)
    axis.set_xlim(low, high)
    axis.set_ylim(low, high)
    axis.set_aspect("equal")
    axis.grid(color=FAINT)
    axis.set_xlabel("clean test accuracy, %")
    axis.set_ylabel(f"mPC of profile {profile}, %")
    handles.append(Line2D([], [], color="#8c8c8c", linewidth=1, label="nothing lost"))
    handles.append(Line2D([], [], label="majority-class rate", **FLOOR))
    if len(shown[0].index):
        cross: dict[str, Any] = {"color": "#595959", "marker": "+", "markersize": 11, "linestyle": ""}
        handles.append(Line2D([], [], label=f"{100 * CONFIDENCE:g} % over clips", **cross))
    figure.legend(handles=handles, loc="outside right center")
    return figure


def _spread(board: Board, one: Standing) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Intervals of clean accuracy and mPC in per cent."""
    found = resampled(one)
    if not is_complete(board, found):
        return None
    mean: NDArray[np.float64] = np.mean([over_severities(board, found, name) for name in board.corruptions], axis=0)
    (clean_low, clean_high), (low, high) = (interval(100 * values) for values in (found[CLEAN], mean))
    return (float(clean_low), float(clean_high)), (float(low), float(high))
