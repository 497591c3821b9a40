"""What a variant costs, and how much tuning it had."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from experiments.report.document import Block, Column, Entry, Heading, Table
from experiments.report.drawing.costs import draw_costs
from experiments.report.findings import Findings
from experiments.report.sections.cells import GAP, key_columns, key_entries
from experiments.report.sections.figures import figure


def cost_blocks(findings: Findings) -> list[Block]:
    """Table of time, size and settings tried, and the time of a step against the baseline."""
    keys = key_columns(findings)
    columns = [
        *keys, Column("step time / baseline"), Column("training"), Column("evaluation"), Column("steps"),
        Column("parameters"), Column("memory"), Column("settings tried"),
    ]  # fmt: skip
    rows = []
    for candidate in findings.candidates:
        cost = findings.costs.get(candidate.key)
        if cost is None:
            continue
        cells = (
            _entry(cost.step_ratio, lambda x: f"{x:.2f}"),
            _entry(cost.fit_seconds, duration),
            _entry(cost.evaluation_seconds, duration),
            _entry(cost.steps, lambda x: f"{x:,.0f}"),
            _entry(cost.parameters, lambda x: f"{x / 1e6:,.2f} M"),
            _entry(cost.peak_bytes, lambda x: f"{x / 2**30:,.1f} GiB"),
            Entry(str(candidate.num_settings)),
        )
        rows.append((*key_entries(findings, candidate.key), *cells))
    if not rows:
        return []
    notes = (
        "Means over seeds, wall clock on the machines named below; parameters are those that are trained, heads and "
        "predictor included. Step times are medians of the logged throughput.",
        "Settings tried: how many settings of the variant this table holds. One means that no weight was tuned: a "
        "variant that does badly with it may do better with another, and the baseline is no different.",
    )
    table = Table("Cost and tuning budget", tuple(columns), tuple(rows), notes, num_keys=len(keys))
    caption = "Time of a training step over that of the baseline of the same reading."
    slowest = [
        (cost.step_ratio, candidate.key)
        for candidate in findings.candidates
        if (cost := findings.costs.get(candidate.key)) and cost.step_ratio is not None
    ]
    alt = caption
    if slowest:
        ratio, key = max(slowest)
        alt = f"Dot plot of step time. The slowest is {findings.title_of(key)}, {ratio:.2f} times the baseline."
    return [Heading("Cost"), table, *figure("costs", partial(draw_costs, findings), caption, alt)]


def duration(seconds: float) -> str:
    """``45 s``, ``12 min`` or ``3.4 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _entry(value: float | None, text: Callable[[float], str]) -> Entry:
    return GAP if value is None else Entry(text(value))
