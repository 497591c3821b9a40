"""Heat maps of chance-corrected accuracy: encoders x corruptions, and corruptions x severities.

The colour is ``(A - m) / (A_clean - m)``, m the majority-class rate: 1 is unharmed, 0 is no better than naming one
class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from textwrap import fill

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from experiments.evaluation.conditions import CLEAN, Condition
from experiments.evaluation.presentation.boards import Board, Standing, group_of
from experiments.evaluation.presentation.figures.shared import (
    headline,
    is_complete,
    over_severities,
    resampled,
    same_clips,
)
from experiments.evaluation.presentation.resampling import interval
from experiments.report.panels import grid_columns, legend_below, panel_grid
from experiments.report.style import new_figure
from experiments.report.wording import spoken
from vjepa.metrics import corrected_performance

MEAN = "mean"
"""Title of the column or row of the mean over corruptions."""
_COLOURS = colormaps["cividis"]
_HATCH = "////"
_LETTERS_OF_A_PANEL = 90
"""If it is as wide as the figure."""


def draw_encoders(board: Board) -> Figure | None:
    """Encoders x corruptions, averaged over severities.

    Rows are blank where clean accuracy is too near to the majority rate for a ratio, or the probe is constant. Cells
    are hatched where the interval over clips of the difference to the first encoder, paired by clip, contains zero.

    Returns:
        None where nothing was corrupted, or every row is blank.
    """
    names = board.corruptions
    if not names or all(math.isnan(one.margin) for one in board.standings):
        return None
    height = len(board.standings)
    figure = new_figure(2.6 + 0.42 * height)
    figure.suptitle(headline(board, "Chance-corrected accuracy"), fontsize=12)
    axis = figure.subplots()
    columns = [*names, MEAN]
    hatched = _not_told_apart(board)
    for row, one in enumerate(board.standings):
        if math.isnan(one.margin):
            _say_why_blank(axis, one, row, len(columns))
            continue
        for column, value in enumerate(_by_corruption(board, one)):
            _cell(axis, row, column, value, (row, column) in hatched)
    _frame(axis, height, len(columns))
    axis.set_yticks(range(height), [one.title for one in board.standings])
    axis.set_xticks(range(len(columns)), [spoken(name) for name in columns], rotation=35, ha="right")
    groups = [group_of(name) for name in names]
    at = 0
    for group, members in groupby(groups):
        width = len(list(members))
        axis.text(at + width / 2 - 0.5, -0.62, group, ha="center", va="bottom", fontsize=9, color="#595959")
        at += width
        axis.axvline(at - 0.5, color="black", linewidth=1.2)
    _finish(figure, [axis], bool(hatched), board.standings[0].title)
    return figure


def draw_severities(board: Board) -> Figure | None:
    """Corruptions x severities, a panel an encoder; those without a defined ratio have none.

    Returns:
        None where no encoder has a ratio.
    """
    shown = [one for one in board.standings if not math.isnan(one.margin)]
    names = board.corruptions
    if not names or not shown:
        return None
    levels = sorted({severity for name in names for severity in board.severities(name)})
    columns = grid_columns(len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure(1.4 + rows * (0.7 + 0.27 * len(names)))
    figure.suptitle(headline(board, "Chance-corrected accuracy"), fontsize=12)
    axes = panel_grid(figure, len(shown), columns)
    for axis, one in zip(axes, shown, strict=True):
        for row, name in enumerate(names):
            for column, severity in enumerate(levels):
                if (name, severity) in one.top1:
                    _cell(axis, row, column, corrected_performance(one.top1[name, severity], one.clean), False)
        _frame(axis, len(names), len(levels))
        axis.set_title(fill(one.title, _LETTERS_OF_A_PANEL // columns), fontsize=10)
    axes[0].set_yticks(range(len(names)), [spoken(name) for name in names])
    axes[0].set_xticks(range(len(levels)), [str(severity) for severity in levels])
    for axis in axes[-columns:]:
        axis.set_xlabel("severity")
    _finish(figure, axes, False, "")
    return figure


def _by_corruption(board: Board, one: Standing) -> list[float]:
    """The ratio of each corruption and of the mean over them; NaN where a condition is missing."""
    if not is_complete(board, one.top1):
        return [math.nan] * (len(board.corruptions) + 1)
    accuracies = {condition: np.asarray(value) for condition, value in one.top1.items()}
    means = [float(over_severities(board, accuracies, name)) for name in board.corruptions]
    return [corrected_performance(mean, one.clean) for mean in (*means, float(np.mean(means)))]


def _not_told_apart(board: Board) -> set[tuple[int, int]]:
    """Cells (row, column) of which the paired difference to the first row has an interval that contains zero."""
    first, *others = board.standings
    found: set[tuple[int, int]] = set()
    if math.isnan(first.margin):
        return found
    reference = _resampled_ratios(board, first)
    for row, one in enumerate(others, start=1):
        ratios = None if math.isnan(one.margin) else _resampled_ratios(board, one)
        if ratios is None or reference is None or not same_clips([first, one]):
            continue
        low, high = interval(ratios - reference)
        found |= {(row, column) for column in range(len(low)) if low[column] <= 0 <= high[column]}
    return found


def _resampled_ratios(board: Board, one: Standing) -> NDArray[np.float64] | None:
    """(R, corruptions + 1); the majority rate is a property of the task and stays."""
    found: dict[Condition, NDArray[np.float64]] = dict(resampled(one))
    if not is_complete(board, found):
        return None
    means = np.stack([over_severities(board, found, name) for name in board.corruptions], axis=1)
    means = np.concatenate([means, means.mean(1, keepdims=True)], axis=1)
    return np.asarray((means - one.clean.majority_rate) / (found[CLEAN] - one.clean.majority_rate)[:, None])


def _cell(axis: Axes, row: int, column: int, value: float, hatched: bool) -> None:
    if math.isnan(value):
        return
    colour = _COLOURS(min(max(value, 0.0), 1.0))
    ink = "white" if value < 0.5 else "black"
    axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=1))
    if hatched:
        place = (column - 0.5, row - 0.5)
        axis.add_patch(Rectangle(place, 1, 1, fill=False, hatch=_HATCH, edgecolor=ink, linewidth=0, alpha=0.45))
    box = {"boxstyle": "round,pad=0.12", "facecolor": colour, "edgecolor": "none"} if hatched else None
    text = f"{round(value, 2) + 0.0:.2f}".replace("-", "\u2212")
    axis.text(column, row, text, ha="center", va="center", fontsize=8, color=ink, bbox=box)


def _say_why_blank(axis: Axes, one: Standing, row: int, width: int) -> None:
    reason = "is constant" if one.is_constant else "is not 3 standard errors above the majority-class rate"
    text = f"blank: the probe {reason} ({100 * one.clean.value:.1f} % against {100 * one.clean.majority_rate:.1f} %)"
    box = {"facecolor": "white", "edgecolor": "none"}
    axis.text((width - 1) / 2, row, text, ha="center", va="center", fontsize=8, color="#595959", bbox=box)


def _frame(axis: Axes, height: int, width: int) -> None:
    axis.set_xlim(-0.5, width - 0.5)
    axis.set_ylim(height - 0.5, -0.5)
    axis.grid(visible=False)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def _finish(figure: Figure, axes: Sequence[Axes], hatched: bool, reference: str) -> None:
    scale = ScalarMappable(Normalize(0, 1), _COLOURS)
    bar = figure.colorbar(scale, ax=list(axes), extend="both", fraction=0.025, pad=0.01)
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.set_label("(A \u2212 m) / (clean \u2212 m)")
    if hatched:
        label = f"not told apart from {reference} (95 % over clips, paired, each cell by itself)"
        patch = Patch(facecolor="white", edgecolor="black", hatch=_HATCH, label=label)
        legend_below(figure, [patch])
