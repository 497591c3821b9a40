"""What runs logged while they trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from experiments.report.scalars import Scalars, read_scalars
from experiments.report.sections.training import QUANTITIES
from experiments.statistics import VariantKey

if TYPE_CHECKING:
    from experiments.ablation.cells import Cell

SPEED = "throughput/clips_per_second"
Logged = Sequence[tuple["Cell", Mapping[str, Scalars]]]
"""Cells and what their runs logged, by tag."""


def read_logged(done: Sequence[Cell]) -> Logged:
    """Read the event files of finished cells, once for all that a report takes from them."""
    return [(cell, read_scalars(cell.run.folder, (*QUANTITIES, SPEED))) for cell in done]


def curves_of(logged: Logged) -> Mapping[VariantKey, Mapping[str, Sequence[Scalars]]]:
    """Quantities of the report, a series a seed, by variant and reading."""
    found: dict[VariantKey, dict[str, list[Scalars]]] = {}
    for cell, by_tag in logged:
        own = found.setdefault(VariantKey(cell.variant, cell.reading), {})
        for quantity in QUANTITIES:
            if quantity in by_tag:
                own.setdefault(quantity, []).append(by_tag[quantity])
    return found
