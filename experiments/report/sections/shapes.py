"""Pictures of what a variant gains and loses: seed by seed, and one task against another."""

from __future__ import annotations

from functools import partial

from experiments.report.document import Block, Heading
from experiments.report.drawing.seeds import draw_seeds
from experiments.report.drawing.trade_off import draw_trade_off
from experiments.report.endpoints import of_family, summary_of, title_of
from experiments.report.findings import Findings
from experiments.report.sections.figures import figure
from experiments.report.wording import listed
from experiments.statistics import Endpoint


def trade_off_blocks(findings: Findings) -> list[Block]:
    """Every pair of tasks; nothing with one task."""
    endpoints = of_family(findings, "accuracy")
    if len(endpoints) < 2:
        return []
    tasks = " against ".join(title_of(findings, endpoint) for endpoint in endpoints)
    caption = (
        "Clean accuracy on one task against another: up and to the right is better at both. Crosses are 95 % intervals "
        "of a variant by itself, where few variants leave room for them; hollow marks have one seed."
    )
    alt = f"Scatter plots of {tasks}. {' '.join(_leaders(findings, endpoint) for endpoint in endpoints)}"
    drawn = figure("trade_off", partial(draw_trade_off, findings, endpoints), caption, alt)
    return [Heading(f"Trade-off: {tasks}"), *drawn]


def seed_blocks(findings: Findings) -> list[Block]:
    """Every seed of every variant."""
    endpoints = of_family(findings, "accuracy")
    caption = "Clean accuracy of every variant with one seed: hollow marks, no intervals."
    if findings.has_intervals:
        caption = (
            "Clean accuracy of every variant: large marks are means, ticks single seeds, lines 95 % intervals for new "
            "seeds and new clips. A gap between two variants that is smaller than the spread of their ticks is none."
        )
    alt = f"Dot plot of clean accuracy with every seed. {' '.join(_leaders(findings, e) for e in endpoints)}"
    return [*figure("seeds", partial(draw_seeds, findings, endpoints), caption, alt)]


def _leaders(findings: Findings, endpoint: Endpoint) -> str:
    """The ends of the order on one task."""
    found = [(summary.mean, c.key) for c in findings.candidates if (summary := summary_of(findings, c.key, endpoint))]
    if not found:
        return ""
    ends = [max(found, key=lambda pair: pair[0]), min(found, key=lambda pair: pair[0])]
    said = [f"{findings.title_of(key)} {100 * mean:.1f} %" for mean, key in dict.fromkeys(ends)]
    return f"{title_of(findings, endpoint)}: from {said[-1]} to {said[0]}." if len(said) > 1 else f"{listed(said)}."
