"""Paired differences to the baseline: forest plots, tables, and what they could have found."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from experiments.report.document import Block, Bullets, Heading
from experiments.report.drawing.forest import draw_forest
from experiments.report.endpoints import comparison_of, of_family, title_of
from experiments.report.findings import Findings
from experiments.report.sections.difference_tables import full_table, others, power_table, short_table
from experiments.report.sections.figures import figure
from experiments.statistics import Endpoint

_FOREST = (
    "Paired differences to the baseline of the same reading and the same seeds. Coloured lines are 95 % intervals for "
    "new seeds and new clips, thin grey lines the hierarchical bootstrap. A filled mark stays significant after Holm's "
    "correction over its family, a hollow one does not."
)
_FOREST_OF_ONE = "Differences to the baseline with one seed: grey, without interval, and no claim about training."


def difference_blocks(findings: Findings) -> list[Block]:
    """Forest plots and tables; the primary endpoints in full, the others short."""
    blocks: list[Block] = [Heading("Differences to the baseline")]
    primary, accuracies = of_family(findings, "primary"), of_family(findings, "accuracy")
    caption = _FOREST if findings.has_intervals else _FOREST_OF_ONE
    for name, endpoints, what in (
        ("forest_primary", primary, "primary endpoints"),
        ("forest_accuracy", accuracies, "clean accuracy"),
    ):
        alt = f"Forest plot, {what}. {_told(findings, endpoints)}"
        blocks += figure(name, partial(draw_forest, findings, endpoints), f"{what.capitalize()}. {caption}", alt)
    short, title = accuracies, "Clean accuracy minus baseline"
    if findings.has_intervals:
        for endpoint in primary:
            blocks += full_table(findings, endpoint)
    else:
        short, title = [*primary, *accuracies], "Minus baseline, one seed"
    blocks += short_table(findings, findings.analysis.comparisons, short, title) if short else []
    if len(blocks) == 1:
        return []
    return [*blocks, *power_table(findings), Bullets(tuple(_notes(findings)))]


def _told(findings: Findings, endpoints: Sequence[Endpoint]) -> str:
    """The marks of a forest plot in words."""
    parts = []
    for endpoint in endpoints:
        found = [comparison_of(findings.analysis.comparisons, c.key, endpoint) for c in others(findings)]
        known = [c for c in found if c is not None]
        for word, sign in (("higher", 1), ("lower", -1)):
            names = [findings.title_of(c.treatment) for c in known if c.significant and sign * c.difference.mean > 0]
            if names:
                parts.append(f"{title_of(findings, endpoint)} significantly {word}: {', '.join(names)}")
        if known and not any(c.significant for c in known):
            parts.append(f"{title_of(findings, endpoint)}: no significant difference")
    return f"{'; '.join(parts)}." if parts else "Nothing is compared."


def _notes(findings: Findings) -> list[str]:
    notes = []
    for family, name in (("primary", "primary endpoints"), ("accuracy", "clean accuracies")):
        tested = [c for c in findings.analysis.comparisons if c.endpoint.family == family and c.p_holm is not None]
        if tested:
            notes.append(f"Holm's correction over the {len(tested)} comparisons of the {name}.")
    return [*notes, *(f"{note[0].upper()}{note[1:].rstrip('.')}." for note in findings.analysis.notes if note)]
