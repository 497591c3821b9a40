"""Forest plot: every variant minus the baseline of its reading, paired by seed and clip."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.report.drawing.shared import (
    SOFT,
    UNTESTED,
    colour_of,
    dodged,
    frame_rows,
    looks,
    mark,
    numbered,
    shape_of,
)
from experiments.report.endpoints import comparison_of, title_of
from experiments.report.findings import Candidate, Findings
from experiments.report.panels import legend_below
from experiments.report.style import new_figure
from experiments.statistics import Comparison, Difference, Endpoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDE = 4
"""Times the median width of an interval."""
_ROW, _ROW_OF_TWO = 0.27, 0.42
"""Inches of a row with one reading and with two."""


def draw_forest(findings: Findings, endpoints: Sequence[Endpoint]) -> Figure | None:
    """A panel an endpoint and a row a variant.

    Lines are 95 % intervals over seeds and clips, the thin grey ones below them the bootstrap; a filled mark stays
    significant after Holm's correction over its family, a hollow one does not, and a grey one has one seed and no
    interval.

    Returns:
        None where nothing is compared.
    """
    compared = {
        (candidate.key, endpoint): comparison
        for endpoint in endpoints
        for candidate in findings.candidates
        if (comparison := comparison_of(findings.analysis.comparisons, candidate.key, endpoint))
    }
    shown = [c for c in findings.candidates if any((c.key, e) in compared for e in endpoints)]
    variants = list(dict.fromkeys(candidate.key.variant for candidate in shown))
    panels = [e for e in endpoints if any((c.key, e) in compared for c in shown)]
    if not shown:
        return None
    figure = new_figure(1.6 + len(variants) * (_ROW if len(findings.readings) == 1 else _ROW_OF_TWO))
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    labels = [numbered(next(c for c in shown if c.key.variant == variant)) for variant in variants]
    for axis, endpoint in zip(axes, panels, strict=True):
        axis.axvline(0, color="black", linewidth=0.9, zorder=1)
        for candidate in shown:
            comparison = compared.get((candidate.key, endpoint))
            if comparison is not None:
                row = variants.index(candidate.key.variant) + dodged(findings, candidate.key.reading)
                _draw(axis, findings, candidate, comparison, row)
        _limit(axis, [c.difference for (_, e), c in compared.items() if e == endpoint])
        frame_rows(axis, labels, labelled=axis is axes[0])
        axis.set_title(title_of(findings, endpoint), fontsize=10)
        axis.set_xlabel(f"minus baseline, {endpoint.unit}")
        axis.locator_params(axis="x", nbins=5)
    legend_below(figure, _handles(findings, list(compared.values())))
    return figure


def _limit(axis: Axes, differences: Sequence[Difference]) -> None:
    """Let no interval of two seeds squeeze those of more: what is far wider than usual leaves the panel."""
    known = [d for d in differences if d.low is not None and d.high is not None]
    widths = [d.high - d.low for d in known if d.high is not None and d.low is not None]
    if not widths or max(widths) <= _WIDE * median(widths):
        return
    usual = [d for d, width in zip(known, widths, strict=True) if width <= _WIDE * median(widths)]
    scale = 100 if differences[0].unit == "points" else 1
    bounds = [0.0, *(scale * d.mean for d in differences)]
    bounds += [scale * end for d in usual for end in (d.low, d.high) if end is not None]
    room = 0.05 * (max(bounds) - min(bounds))
    axis.set_xlim(min(bounds) - room, max(bounds) + room)


def _draw(axis: Axes, findings: Findings, candidate: Candidate, comparison: Comparison, row: float) -> None:
    found, colour = comparison.difference, colour_of(candidate)
    scale = 100 if found.unit == "points" else 1
    look: dict[str, Any] = {"marker": shape_of(findings, candidate), "markersize": 6, "zorder": 4}
    if found.low is None or found.high is None:
        axis.plot(scale * found.mean, row, color=UNTESTED, markerfacecolor="white", linestyle="", **look)
        return
    if found.bootstrap_low is not None and found.bootstrap_high is not None:
        ends = [scale * found.bootstrap_low, scale * found.bootstrap_high]
        axis.plot(ends, [row + 0.13] * 2, color=UNTESTED, linewidth=0.8, zorder=2)
    axis.plot([scale * found.low, scale * found.high], [row, row], color=colour, linewidth=1.8, zorder=3)
    face = colour if comparison.significant else "white"
    axis.plot(scale * found.mean, row, color=colour, markerfacecolor=face, linestyle="", **look)


def _handles(findings: Findings, comparisons: Sequence[Comparison]) -> list[Line2D]:
    handles = looks(findings)
    if all(c.difference.low is None for c in comparisons):
        for handle in handles:
            handle.set_color(UNTESTED)
            handle.set_markerfacecolor("white")
    if any(c.difference.low is not None for c in comparisons):
        handles += [
            mark("black", "o", "significant after Holm"),
            mark("black", "o", "not significant", "white"),
            Line2D([], [], color=SOFT, linewidth=1.8, label="95 % over seeds and clips"),
            Line2D([], [], color=UNTESTED, linewidth=0.8, label="95 % bootstrap"),
        ]
    if any(c.difference.low is None for c in comparisons):
        handles.append(mark(UNTESTED, "", "n = 1 seed: no interval"))
    return handles
