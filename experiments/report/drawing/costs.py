"""How much longer a training step takes than the baseline's."""

from __future__ import annotations

from matplotlib.figure import Figure

from experiments.report.drawing.shared import colour_of, dodged, frame_rows, looks, numbered, shape_of
from experiments.report.findings import Findings
from experiments.report.panels import legend_below
from experiments.report.style import new_figure

_ROW, _ROW_OF_TWO = 0.24, 0.36


def draw_costs(findings: Findings) -> Figure | None:
    """A row a variant; 1 is the baseline of the same reading.

    Returns:
        None where no other variant was timed.
    """
    timed = [c for c in findings.candidates if (cost := findings.costs.get(c.key)) and cost.step_ratio is not None]
    if all(candidate.is_baseline for candidate in timed):
        return None
    variants = list(dict.fromkeys(candidate.key.variant for candidate in timed))
    figure = new_figure(1.4 + len(variants) * (_ROW if len(findings.readings) == 1 else _ROW_OF_TWO), 7.5)
    axis = figure.subplots()
    axis.axvline(1, color="black", linewidth=0.9, zorder=1)
    for candidate in timed:
        ratio = findings.costs[candidate.key].step_ratio
        row = variants.index(candidate.key.variant) + dodged(findings, candidate.key.reading)
        colour = colour_of(candidate)
        assert ratio is not None
        axis.plot([1, ratio], [row, row], color=colour, linewidth=1, alpha=0.6, zorder=2)
        axis.plot(ratio, row, marker=shape_of(findings, candidate), color=colour, markersize=6, zorder=3)
    first = {candidate.key.variant: candidate for candidate in reversed(timed)}
    frame_rows(axis, [numbered(first[variant]) for variant in variants])
    axis.set_xlabel("time of a training step / baseline of the same reading")
    legend_below(figure, looks(findings))
    return figure
