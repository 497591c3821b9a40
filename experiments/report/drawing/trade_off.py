"""What a variant gains on one task against what it loses on another: every pair of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from textwrap import fill
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from experiments.report.drawing.labels import place_labels
from experiments.report.drawing.shared import colour_of, draw_floor, looks, shape_of
from experiments.report.findings import CONTROLS, RANDOM_INIT, Candidate, Findings
from experiments.report.panels import legend_below
from experiments.report.scores import task_title
from experiments.report.style import PIXELS_STYLE, RANDOM_INIT_STYLE, new_figure
from experiments.report.wording import spoken
from experiments.statistics import Endpoint, Summary, VariantKey

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_PAIRS = 6
_FEW = 12
"""More candidates a panel are named by their numbers, and crosses of intervals would hide those."""
_KEY_LETTERS = 150


def draw_trade_off(findings: Findings, endpoints: Sequence[Endpoint]) -> Figure | None:
    """A row of panels for each reading, a panel for each pair of tasks, a numbered mark for each variant.

    Args:
        findings: of an ablation.
        endpoints: accuracies; at most six pairs of them are shown, in their order.

    Returns:
        None with fewer than two tasks.
    """
    pairs = list(combinations(endpoints, 2))[:_MOST_PAIRS]
    if not pairs:
        return None
    found = {(s.key, s.endpoint): s for s in findings.analysis.summaries}
    per_row = min(3, len(pairs))
    bands = -(-len(pairs) // per_row)
    rows = bands * len(findings.readings)
    figure = new_figure(1.0 + 3.1 * rows)
    axes = figure.subplots(rows, per_row, squeeze=False)
    for axis in axes.flat:
        axis.set_visible(False)
    controls = [key for key in CONTROLS if any((key, endpoint) in found for endpoint in endpoints)]
    for number, reading in enumerate(findings.readings):
        for place, (x, y) in enumerate(pairs):
            axis = axes[number * bands + place // per_row, place % per_row]
            axis.set_visible(True)
            _draw(axis, findings, reading, (x, y), found)
            if len(findings.readings) > 1:
                axis.set_title(spoken(reading), fontsize=9)
    legend_below(figure, looks(findings, with_controls=controls, floor=bool(findings.scores.floors)))
    if len(findings.variants) > _FEW:
        titles = {candidate.number: candidate.title for candidate in findings.candidates}
        key = ", ".join(f"{number} {title}" for number, title in titles.items())
        figure.legends[-1].set_title(fill(key, _KEY_LETTERS), prop=FontProperties(size=8))
    return figure


def _draw(
    axis: Axes,
    findings: Findings,
    reading: str,
    pair: tuple[Endpoint, Endpoint],
    found: dict[tuple[VariantKey, Endpoint], Summary],
) -> None:
    x, y = pair
    candidates = [c for c in findings.of_reading(reading) if (c.key, x) in found and (c.key, y) in found]
    for control in CONTROLS:
        if (control, x) in found and (control, y) in found:
            colour, shape, _ = RANDOM_INIT_STYLE if control == RANDOM_INIT else PIXELS_STYLE
            at = [100 * found[control, end].mean for end in pair]
            axis.plot(*at, marker=shape, color=colour, markersize=8, zorder=2)
    points = []
    for candidate in candidates:
        across, up = (found[candidate.key, end] for end in pair)
        colour = colour_of(candidate)
        if len(candidates) <= _FEW:
            for summary, horizontal in ((across, True), (up, False)):
                if summary.low is not None and summary.high is not None:
                    ends = [100 * max(0.0, summary.low), 100 * min(1.0, summary.high)]
                    fixed = [100 * (up if horizontal else across).mean] * 2
                    line = (ends, fixed) if horizontal else (fixed, ends)
                    axis.plot(*line, color=colour, linewidth=0.9, alpha=0.45, zorder=1)
        face = "white" if len(candidate.seeds) == 1 else colour
        size = 6.5 if len(candidates) <= _FEW else 5.0
        look: dict[str, Any] = {"marker": shape_of(findings, candidate), "markersize": size, "markerfacecolor": face}
        axis.plot(100 * across.mean, 100 * up.mean, color=colour, linestyle="", zorder=3, **look)
        name = candidate.title if len(candidates) <= _FEW else str(candidate.number)
        points.append((100 * across.mean, 100 * up.mean, name))
    # Marks set the range, not their crosses: those of few clips would squeeze the marks together.
    shown = [found[key, x] for key in _keys(candidates) if (key, x) in found and (key, y) in found]
    axis.set_xlim(*_range([100 * summary.mean for summary in shown]))
    axis.set_ylim(*_range([100 * found[summary.key, y].mean for summary in shown]))
    for end in pair:
        if end.benchmark in findings.scores.floors:
            draw_floor(axis, 100 * findings.scores.floors[end.benchmark], upright=end is x)
    axis.set_xlabel(f"{task_title(x.benchmark)}, accuracy in %")
    axis.set_ylabel(f"{task_title(y.benchmark)}, accuracy in %")
    place_labels(axis, points, crosses=len(candidates) <= _FEW)


def _keys(candidates: Sequence[Candidate]) -> list[VariantKey]:
    return [*CONTROLS, *(candidate.key for candidate in candidates)]


def _range(values: Sequence[float]) -> tuple[float, float]:
    if not values:
        return 0.0, 100.0
    room = 0.15 * (max(values) - min(values)) or 1.0
    return min(values) - room, max(values) + room
