"""What the numbers do not show, what is missing, and how to make them again."""

from __future__ import annotations

from experiments.report.document import Block, Bullets, Code, Column, Entry, Heading, Paragraph, Table
from experiments.report.endpoints import of_family
from experiments.report.findings import Findings
from experiments.report.scores import task_title


def caveat_blocks(findings: Findings) -> list[Block]:
    """Caveats of the ablation and those that follow from its numbers."""
    return [Heading("What this does not show"), Bullets((*_own_caveats(findings), *findings.caveats))]


def missing_blocks(findings: Findings) -> list[Block]:
    """Cells without a result, and why."""
    if not findings.missing:
        return []
    rows = tuple((Entry(label), Entry(why)) for label, why in findings.missing.items())
    columns = (Column("cell", align="left"), Column("why", align="left"))
    return [Heading("Missing cells"), Table(f"Planned cells without a result: {len(rows)}", columns, rows)]


def provenance_blocks(findings: Findings) -> list[Block]:
    """Command, protocol, hashes, versions, machine and date."""
    columns = (Column("item", align="left"), Column("value", align="left"))
    rows = tuple((Entry(name), Entry(value)) for name, value in findings.provenance.items())
    hashes = tuple((Entry(name), Entry(value)) for name, value in findings.config_hashes.items())
    titles = (Column("cell", align="left"), Column("configuration", align="left"))
    return [
        Heading("Reproduce"),
        Code(findings.command),
        Paragraph("Dashboards with all logged quantities:"),
        Code(findings.board_command),
        Paragraph("One row alone, from the resolved configuration of its cell:"),
        Code("vjepa fit --config CELL/cell.yaml\nvjepa test --config CELL/cell.yaml"),
        Heading("Protocol and provenance"),
        Table("Where the numbers come from", columns, rows),
        Table("Configuration hashes", titles, hashes),
    ]


def _own_caveats(findings: Findings) -> list[str]:
    seeds = {len(candidate.seeds) for candidate in findings.candidates}
    found = []
    if max(seeds, default=0) < 2:
        found.append("One pretraining seed: a second one might reverse the order of any two variants.")
    elif max(seeds) < 5:
        found.append(
            f"{max(seeds)} pretraining seeds: the intervals rest on {max(seeds) - 1} degrees of freedom, so only large "
            "differences stand out from chance."
        )
    if 1 in seeds and len(seeds) > 1:
        names = [findings.title_of(c.key) for c in findings.candidates if len(c.seeds) == 1]
        found.append(f"One seed so far, hence no interval: {', '.join(names)}.")
    if all(candidate.num_settings == 1 for candidate in findings.candidates):
        found.append(
            "No weight of any objective was tuned: a variant is judged at one setting, no fair trial of an idea."
        )
    for candidate in findings.candidates:
        if candidate.ignores_training:
            found.append(f"{findings.title_of(candidate.key)}: no number of this row depends on training.")
    scores = findings.scores
    for endpoint in of_family(findings, "accuracy"):
        of_task = [score for (_, name, _, _), score in scores.cells.items() if name == endpoint.benchmark]
        most = max(of_task, key=lambda score: score.num_excluded, default=None)
        if most is not None and most.num_excluded:
            total = most.num_clips + most.num_excluded
            found.append(
                f"{task_title(endpoint.benchmark)}: {most.num_excluded:,} of {total:,} test clips are broken files; no "
                "encoder was judged on them."
            )
    return found
