"""What else is compared: with random initialisation, and factorized variants with their likes."""

from __future__ import annotations

from experiments.report.document import Block, Column, Entry, Heading, Table
from experiments.report.endpoints import comparison_of, of_family, title_of
from experiments.report.findings import Findings
from experiments.report.sections.answer import pooled
from experiments.report.sections.cells import HIGHER, LOWER, gap
from experiments.report.sections.difference_tables import short_table
from experiments.statistics import FACTORIZED


def control_blocks(findings: Findings) -> list[Block]:
    """What training adds to the initialisation of the same seed."""
    endpoints = [*of_family(findings, "primary"), *of_family(findings, "accuracy")]
    title = "Minus random init: what training added"
    table = short_table(findings, findings.analysis.controls, endpoints, title)
    return [Heading("Differences to random init"), *table] if table else []


def factorization_blocks(findings: Findings) -> list[Block]:
    """The contrast of the first paragraph, and each pair behind it."""
    endpoints = [*of_family(findings, "primary"), *of_family(findings, "accuracy")]
    columns = [Column("factorized minus not factorized", align="left")]
    columns += [Column("reading", align="left")] if len(findings.readings) > 1 else []
    columns += [Column(f"{title_of(findings, e)}, {e.unit}") for e in endpoints] + [Column("seeds")]
    rows = []
    for reading in findings.readings:
        found = [c for c in findings.analysis.factorization if c.treatment.reading == reading]
        if not pooled(findings, reading):
            continue
        names = list(dict.fromkeys((c.treatment, c.control) for c in found))
        for treatment, control in sorted(names, key=lambda pair: pair[0].variant != FACTORIZED):
            mine = [c for c in found if (c.treatment, c.control) == (treatment, control)]
            is_mean = treatment.variant == FACTORIZED
            name = "mean of the pairs" if is_mean else f"{treatment.variant} \u2212 {control.variant}"
            cells = [gap(comparison_of(mine, treatment, endpoint)) for endpoint in endpoints]
            where = [Entry(reading.replace("_", " "))] if len(findings.readings) > 1 else []
            seeds = Entry(str(max(c.difference.num_seeds for c in mine)))
            rows.append((Entry(name), *where, *cells, seeds))
    if not rows:
        return []
    notes = (
        f"{HIGHER} {LOWER} significant after Holm's correction over the means of a family; no single pair is tested.",
    )
    table = Table("Matched pairs", tuple(columns), tuple(rows), notes, num_keys=1 + (len(findings.readings) > 1))
    return [Heading("Factorized against not factorized"), table]
