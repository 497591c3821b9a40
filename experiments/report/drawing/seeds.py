"""Every seed of every variant on every task: the spread that one seed hides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.report.drawing.shared import (
    SOFT,
    colour_of,
    dodged,
    draw_floor,
    frame_rows,
    looks,
    mark,
    numbered,
    shape_of,
)
from experiments.report.endpoints import title_of
from experiments.report.findings import CONTROLS, RANDOM_INIT, TITLES, Findings
from experiments.report.panels import legend_below
from experiments.report.style import PIXELS_STYLE, RANDOM_INIT_STYLE, new_figure
from experiments.statistics import Endpoint, Summary

_ROW, _ROW_OF_TWO = 0.25, 0.4
_SEED: dict[str, Any] = {"marker": "|", "linestyle": "", "markersize": 7, "markeredgewidth": 0.9, "zorder": 3}


def draw_seeds(findings: Findings, endpoints: Sequence[Endpoint]) -> Figure | None:
    """A panel a task and a row a variant: the mean, its 95 % interval over seeds and clips, and every seed as a tick.

    Returns:
        None without endpoints.
    """
    found = {(s.key, s.endpoint): s for s in findings.analysis.summaries}
    controls = [key for key in CONTROLS if any((key, endpoint) in found for endpoint in endpoints)]
    if not endpoints or not findings.candidates:
        return None
    rows = [*(TITLES[key] for key in controls), *_names(findings)]
    figure = new_figure(1.5 + len(rows) * (_ROW if len(findings.readings) == 1 else _ROW_OF_TWO))
    axes = figure.subplots(1, len(endpoints), squeeze=False)[0]
    for axis, endpoint in zip(axes, endpoints, strict=True):
        for place, key in enumerate(controls):
            if (key, endpoint) in found:
                colour, shape, _ = RANDOM_INIT_STYLE if key == RANDOM_INIT else PIXELS_STYLE
                _draw(axis, found[key, endpoint], place, colour, shape)
        for candidate in findings.candidates:
            summary = found.get((candidate.key, endpoint))
            if summary is not None:
                row = len(controls) + findings.variants.index(candidate.key.variant)
                shift = dodged(findings, candidate.key.reading)
                _draw(axis, summary, row + shift, colour_of(candidate), shape_of(findings, candidate))
        if endpoint.benchmark in findings.scores.floors:
            draw_floor(axis, 100 * findings.scores.floors[endpoint.benchmark], upright=True)
        frame_rows(axis, rows, labelled=axis is axes[0])
        axis.set_title(title_of(findings, endpoint), fontsize=10)
        axis.set_xlabel("test accuracy, %")
        axis.locator_params(axis="x", nbins=5)
    handles = looks(findings, with_controls=controls, floor=bool(findings.scores.floors))
    if findings.has_intervals:
        handles.append(mark("black", "|", "one seed"))
        handles.append(Line2D([], [], color=SOFT, linewidth=1.2, label="95 % over seeds and clips"))
    legend_below(figure, handles)
    return figure


def _names(findings: Findings) -> list[str]:
    first = {candidate.key.variant: candidate for candidate in reversed(findings.candidates)}
    return [numbered(first[variant]) for variant in findings.variants]


def _draw(axis: Any, summary: Summary, row: float, colour: str, shape: str) -> None:
    if summary.low is not None and summary.high is not None:
        ends = [100 * max(0.0, summary.low), 100 * min(1.0, summary.high)]
        axis.plot(ends, [row, row], color=colour, linewidth=1.2, alpha=0.6)
        axis.plot([100 * x for x in summary.per_seed], [row] * len(summary.per_seed), color=colour, **_SEED)
    face = colour if summary.num_seeds > 1 or summary.key in CONTROLS else "white"
    axis.plot(100 * summary.mean, row, marker=shape, color=colour, markerfacecolor=face, markersize=5.5, zorder=4)
