"""Put the report of an ablation together and write it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.report.console import to_console
from experiments.report.document import Block, Document, Figure, Paragraph
from experiments.report.findings import Findings, ReportPaths
from experiments.report.html import to_html
from experiments.report.markdown import to_markdown
from experiments.report.sections.answer import answer_blocks
from experiments.report.sections.contrasts import control_blocks, factorization_blocks
from experiments.report.sections.cost import cost_blocks
from experiments.report.sections.differences import difference_blocks
from experiments.report.sections.provenance import caveat_blocks, missing_blocks, provenance_blocks
from experiments.report.sections.results import other_probes_blocks, results_blocks, results_table
from experiments.report.sections.robustness import robustness_blocks
from experiments.report.sections.shapes import seed_blocks, trade_off_blocks
from experiments.report.sections.subspaces import subspace_blocks
from experiments.report.sections.training import training_blocks
from vjepa.storage import atomic_write_bytes, atomic_write_text

if TYPE_CHECKING:
    from experiments.ablation.cells import Cell
    from experiments.ablation.spec import Ablation


def write_ablation_report(folder: Path, cells: Sequence[Cell], ablation: Ablation) -> ReportPaths:
    """Read the finished cells, compare them, and write ``report.md``, ``report.html`` and ``plots/*.png``.

    Args:
        folder: of the report; files of an earlier one are replaced.
        cells: all planned ones; those that are not finished are listed as missing.
        ablation: what was asked.

    Raises:
        UserError: no cell is finished, results contradict one another or mix protocols, or the folder cannot be
            written.
    """
    from experiments.report.reading import read_findings

    return write_report(folder, read_findings(cells, ablation))


def write_report(folder: Path, findings: Findings) -> ReportPaths:
    """Write a report, each file whole or not at all; pictures of an earlier one that it no longer has are removed.

    Raises:
        UserError: the folder cannot be written.
    """
    document = build_document(findings)
    figures = [block for block in document.blocks if isinstance(block, Figure)]
    for figure in figures:
        atomic_write_bytes(folder / figure.path, figure.png)
    paths = ReportPaths(
        markdown=folder / "report.md",
        html=folder / "report.html",
        plots=tuple(folder / figure.path for figure in figures),
        text=_console(document, findings),
    )
    atomic_write_text(paths.markdown, to_markdown(document))
    atomic_write_text(paths.html, to_html(document))
    for old in set((folder / "plots").glob("*.png")) - set(paths.plots):
        old.unlink(missing_ok=True)
    return paths


def build_document(findings: Findings) -> Document:
    """The answer, the numbers behind it, what they do not show, how to make them again."""
    blocks: list[Block] = [
        *answer_blocks(findings),
        *results_blocks(findings),
        *seed_blocks(findings),
        *other_probes_blocks(findings),
        *trade_off_blocks(findings),
        *factorization_blocks(findings),
        *difference_blocks(findings),
        *control_blocks(findings),
        *robustness_blocks(findings),
        *subspace_blocks(findings),
        *training_blocks(findings),
        *cost_blocks(findings),
        *caveat_blocks(findings),
        *missing_blocks(findings),
        *provenance_blocks(findings),
    ]
    return Document(findings.title, tuple(blocks))


def _console(document: Document, findings: Findings) -> str:
    """The first paragraph and the main table, for a terminal."""
    lead = [block.text for block in document.blocks if isinstance(block, Paragraph) and block.lead]
    return "\n\n".join([*lead, to_console(results_table(findings))])
