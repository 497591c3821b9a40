"""Collapse diagnostics: while training, and of the finished encoders."""

from __future__ import annotations

from functools import partial

from experiments.report.document import Block, Column, Entry, Heading, Paragraph, Table
from experiments.report.drawing.collapse import draw_collapse
from experiments.report.endpoints import data_sets
from experiments.report.findings import CONTROLS, Findings
from experiments.report.measures import Measure
from experiments.report.sections.cells import GAP, key_columns, key_entries
from experiments.report.sections.figures import figure
from experiments.statistics import VariantKey

QUANTITIES = {
    "collapse/rankme": "RankMe of the context",
    "collapse/target_variance": "variance of the targets",
}
"""Logged quantities that a report draws."""
SPECTRUM = {
    "rankme": ("RankMe", 1),
    "participation_ratio": ("participation ratio", 1),
    "lidar": ("LiDAR", 1),
    "dead_ratio": ("dead channels, %", 1),
    "mean_pairwise_cosine": ("mean cosine of two clips", 2),
}
"""Metrics of a representation on clean clips: title and decimals."""


def training_blocks(findings: Findings) -> list[Block]:
    """Nothing where nothing was logged and no spectrum was measured."""
    drawn: list[Block] = []
    for quantity, label in QUANTITIES.items():
        caption = (
            f"{label[0].upper()}{label[1:]} over optimizer steps, one line a seed, the baseline in grey behind the "
            "others. A curve that falls towards its floor is a collapse."
        )
        alt = f"Small panels of {label} over training, one for each variant. {_ends(findings, quantity)}"
        name = quantity.replace("/", "_")
        drawn += figure(name, partial(draw_collapse, findings, quantity, label), caption, alt)
    table = _spectrum_table(findings)
    if not drawn and not table:
        return []
    intro = (
        "An encoder can lose its information while its loss falls. Loss curves are left out: losses of different "
        "objectives cannot be compared."
    )
    return [Heading("Collapse diagnostics"), Paragraph(intro), *drawn, *table]


def _ends(findings: Findings, quantity: str) -> str:
    parts = []
    for candidate in findings.candidates:
        lines = findings.curves.get(candidate.key, {}).get(quantity, ())
        if lines:
            last = sum(scalars.values[-1] for scalars in lines) / len(lines)
            parts.append(f"{findings.title_of(candidate.key)} {last:.3g}")
    return f"Last values: {', '.join(parts)}."


def _spectrum_table(findings: Findings) -> list[Block]:
    """How much of its width the whole representation uses on clean test clips."""
    blocks: list[Block] = []
    for data in data_sets(findings):
        at = {name: _measure(findings, data, name) for name in SPECTRUM}
        shown = {name: m for name, m in at.items() if any(findings.measures.per_seed(k, m) for k in _keys(findings))}
        if not shown:
            continue
        columns = [*key_columns(findings), *(Column(SPECTRUM[name][0]) for name in shown)]
        rows = []
        for key in _keys(findings):
            cells = [_value(findings, key, measure, name) for name, measure in shown.items()]
            if any(cell is not GAP for cell in cells):
                rows.append((*key_entries(findings, key), *cells))
        title = f"The whole representation on clean test clips, {data}"
        note = "Means over seeds; described only. RankMe and participation ratio are at most the width of the latent."
        blocks.append(Table(title, tuple(columns), tuple(rows), (note,), num_keys=len(key_columns(findings))))
    return blocks


def _keys(findings: Findings) -> list[VariantKey]:
    return [*CONTROLS, *(candidate.key for candidate in findings.candidates)]


def _measure(findings: Findings, data: str, name: str) -> Measure:
    if name == "lidar":
        return Measure(data, f"lidar_{findings.profile}", corruption=findings.profile)
    return Measure(data, name)


def _value(findings: Findings, key: VariantKey, measure: Measure, name: str) -> Entry:
    value = findings.measures.mean(key, measure)
    if value is None:
        return GAP
    return Entry(f"{value * (100 if name == 'dead_ratio' else 1):,.{SPECTRUM[name][1]}f}".replace("-", "\u2212"))
