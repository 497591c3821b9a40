"""Whether z_app follows spatial and z_dyn temporal corruption, beside the null controls."""

from __future__ import annotations

from functools import partial

from experiments.report.document import Block, Bullets, Heading
from experiments.report.drawing.subspaces import draw_subspaces
from experiments.report.endpoints import SELECTIVITY, data_sets
from experiments.report.findings import Findings
from experiments.report.measures import Measure
from experiments.report.sections.figures import figure

DIVISIONS = {"as_described": "within_level", "as_released": "by_level"}
"""How a reading divides the latent."""
_WORDS = {
    "within_level": "the same channels of every level",
    "by_level": "the two shallow levels against the two deep ones",
}


def subspace_blocks(findings: Findings) -> list[Block]:
    """A panel for each data set and reading; nothing where subspaces were not looked at."""
    drawn: list[Block] = []
    for data in data_sets(findings):
        for reading in findings.readings:
            division = DIVISIONS.get(reading, "within_level")
            ending = f", {reading.replace('_', ' ')}" if len(findings.readings) > 1 else ""
            suffix = f"{data}_{reading}" if len(findings.readings) > 1 else data
            caption = (
                f"{data}{ending}, division {division} ({_WORDS[division]}). Marks are means over seeds, ticks single "
                "seeds, grey bands random divisions of equal width. Factorization predicts that z_app drifts more "
                "under spatial and z_dyn more under temporal corruption, hence SSI > 0, and not for the same division "
                "of variants that were not factorized."
            )
            alt = f"Drift of z_app and z_dyn and SSI on {data}{ending}. {_told(findings, data, reading, division)}"
            draw = partial(draw_subspaces, findings, data, reading, division)
            drawn += figure(f"subspaces_{suffix}", draw, caption, alt)
    if not drawn:
        return []
    notes = (
        "SSI = log[D(z_dyn, temporal) D(z_app, spatial) / (D(z_app, temporal) D(z_dyn, spatial))], D the mean drift, "
        "in nats: a common scale of a half or of a group of corruptions cancels.",
        "Stability of z_app under temporal corruption is what the slowness loss trains: by itself it is no evidence "
        "of use.",
    )
    return [Heading("Subspaces"), *drawn, Bullets(notes)]


def _told(findings: Findings, data: str, reading: str, division: str) -> str:
    parts = []
    for candidate in findings.of_reading(reading):
        measure = Measure(data, f"ssi_{findings.profile}", subspace=division, corruption=findings.profile)
        value = findings.measures.mean(candidate.key, measure)
        if value is not None:
            parts.append(f"{candidate.title} {value:+.2f}".replace("-", "\u2212"))
    return f"{SELECTIVITY}: {', '.join(parts)}."
