"""Four panels: drift of z_app and z_dyn under spatial and temporal corruptions, beside the index made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.evaluation.presentation.figures.shared import styles_of
from experiments.evaluation.presentation.selectivity_rows import LAYOUTS, SubspaceBoard
from experiments.report.panels import legend_below
from experiments.report.scores import task_title
from experiments.report.style import LineStyle, new_figure
from experiments.results import RowStamp
from vjepa.metrics.selectivity import GROUPS, SUBSPACES

_BAND: dict[str, Any] = {"color": "#8c8c8c", "alpha": 0.35, "linewidth": 7, "solid_capstyle": "butt", "zorder": 1}
_NAMES = {"app": "z_app", "dyn": "z_dyn"}


def draw_subspaces(board: SubspaceBoard) -> Figure:
    """A row for each layout and encoder; grey bands are the random divisions of the same widths.

    The index is to the right, with its one-sided p-value: factorization predicts that it is positive and that it is
    not so for the same division of models that were not factorized.
    """
    places = _places(board)
    figure = new_figure(2.2 + 0.5 * (max(places) + 1), 11.5)
    n = board.entries[0].num_clips
    title = f"Drift of subspaces: {task_title(board.benchmark)}, profile {board.profile}, n = {n:,} test clips"
    figure.suptitle(title, fontsize=12)
    grid = figure.add_gridspec(2, 3, width_ratios=(1, 1, 1.1))
    styles = styles_of(board.stamps)
    for column, group in enumerate(GROUPS):
        first = None
        for row, half in enumerate(SUBSPACES):
            # One scale for both halves of a group: which of them drifts more is the question.
            axis = figure.add_subplot(grid[row, column], sharex=first)
            first = first or axis
            _draw_drift(axis, board, places, styles, (half, group))
            axis.set_title(f"{_NAMES[half]}, {group} corruptions", fontsize=10)
            _frame(axis, board, places, labelled=column == 0)
            axis.tick_params(axis="x", labelbottom=row == 1)
        axis.set_xlabel("mean centred cosine drift")
    axis = figure.add_subplot(grid[:, 2])
    _draw_index(axis, board, places, styles)
    _frame(axis, board, places, labelled=False)
    if any(entry.random_drift for entry in board.entries):
        band = "the random divisions behind p: drift, range of all; SSI, mean to 95th percentile"
        legend_below(figure, [Line2D([], [], label=band, **_BAND)])
    return figure


def _places(board: SubspaceBoard) -> list[int]:
    """Rows of the entries; before each layout a row is left for its title."""
    places: list[int] = []
    for number, entry in enumerate(board.entries):
        begins = number == 0 or entry.layout != board.entries[number - 1].layout
        places.append((places[-1] if places else -1) + (2 if begins else 1))
    return places


def _draw_drift(
    axis: Axes,
    board: SubspaceBoard,
    places: Sequence[int],
    styles: Mapping[RowStamp, LineStyle],
    cell: tuple[str, str],
) -> None:
    for row, entry in zip(places, board.entries, strict=True):
        if cell in entry.random_drift:
            axis.plot(entry.random_drift[cell], [row, row], **_BAND)
        if cell in entry.drift:
            _mark(axis, entry.drift[cell], row, styles[entry.stamp])
    axis.margins(x=0.12)


def _draw_index(axis: Axes, board: SubspaceBoard, places: Sequence[int], styles: Mapping[RowStamp, LineStyle]) -> None:
    axis.axvline(0, color="black", linewidth=0.8, zorder=1)
    for row, entry in zip(places, board.entries, strict=True):
        if math.isfinite(entry.null_p95):
            axis.plot([entry.null_mean, entry.null_p95], [row, row], **_BAND)
        if math.isnan(entry.index):
            text = "undefined"
        else:
            _mark(axis, entry.index, row, styles[entry.stamp])
            text = f"SSI {round(entry.index, 3) + 0.0:+.3f}, p = {entry.p_value:.3f}".replace("-", "\u2212")
        axis.annotate(
            text, (1.0, row), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=8, annotation_clip=False,
        )  # fmt: skip
    axis.margins(x=0.12)
    axis.set_title("Subspace Selectivity Index", fontsize=10)
    axis.set_xlabel("SSI")


def _mark(axis: Axes, value: float, row: int, style: LineStyle) -> None:
    colour, marker, _ = style
    axis.plot(value, row, marker=marker, color=colour, markersize=7, zorder=3)


def _frame(axis: Axes, board: SubspaceBoard, places: Sequence[int], labelled: bool) -> None:
    """A row an entry, a titled block a layout."""
    axis.set_ylim(max(places) + 0.6, -0.6)
    axis.set_yticks(places, [entry.title for entry in board.entries] if labelled else [""] * len(places))
    axis.tick_params(axis="y", length=0)
    axis.grid(visible=False, axis="y")
    axis.locator_params(axis="x", nbins=5)
    layouts = [entry.layout for entry in board.entries]
    for layout, title in LAYOUTS.items():
        if layout in layouts:
            row = places[layouts.index(layout)] - 1
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            look: dict[str, Any] = {"fontsize": 8, "color": "#595959", "bbox": box}
            axis.text(0.015, row, title, transform=axis.get_yaxis_transform(), va="center", **look)
            if row > 0:
                axis.axhline(row - 0.5, color="black", linewidth=0.8)
