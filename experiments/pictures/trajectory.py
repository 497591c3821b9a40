"""Whether a representation collapses while it is trained: effective rank and variance over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from experiments.pictures.panels import Pixels
from experiments.report.scalars import Scalars
from experiments.report.style import LINES, new_figure, numbered_style, styled, to_pixels

CONTEXT_RANK, TARGET_RANK, TARGET_VARIANCE = "collapse/rankme", "collapse/target_rankme", "collapse/target_variance"
TAGS = (CONTEXT_RANK, TARGET_RANK, TARGET_VARIANCE)
_PANELS = (
    ((TARGET_RANK,), "effective rank of targets (RankMe)"),
    ((CONTEXT_RANK,), "effective rank of context (RankMe)"),
    ((TARGET_VARIANCE,), "variance of targets over tokens"),
)
_MOST_MARKS = 12


def draw_trajectory(runs: Sequence[tuple[str, Mapping[str, Scalars]]], most: int) -> Pixels:
    """A panel for each quantity, a line for each run: (H, W, 3).

    Args:
        runs: label, and what was logged by tag; at least one has something of ``TAGS``.
        most: width of the features, which no rank exceeds.
    """
    with styled():
        figure = new_figure(3.2 + 0.2 * len(runs))
        axes = figure.subplots(1, len(_PANELS))
        for axis, (tags, title) in zip(axes, _PANELS, strict=True):
            for number, (label, logged) in enumerate(runs):
                for tag in tags:
                    if tag in logged:
                        _line(axis, logged[tag], number, label)
            axis.set_title(title, fontsize=9)
            axis.set_xlabel("optimizer step", fontsize=8)
            axis.tick_params(labelsize=8)
            axis.set_ylim(0, 1.06 * axis.get_ylim()[1])
        for axis in axes[:2]:
            axis.text(0.99, 0.02, f"at most {most}", transform=axis.transAxes, ha="right", fontsize=7, color="#595959")
        handles = {line.get_label(): line for axis in axes for line in axis.get_lines()}
        figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=1, fontsize=8)
        return to_pixels(figure)


def _line(axis: Axes, curve: Scalars, number: int, label: str) -> None:
    colour, marker, _ = numbered_style(number)
    every = max(1, len(curve.steps) // _MOST_MARKS)
    axis.plot(
        curve.steps, curve.values, color=colour, marker=marker, markevery=every, markersize=4, linewidth=1.4,
        linestyle=LINES[number % len(LINES)], label=label,
    )  # fmt: skip
