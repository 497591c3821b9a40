"""Read everything that a report says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.ablation.state import evaluation_folders, finished, result_files, state_of
from experiments.report.findings import Candidate, Findings
from experiments.report.measures import collect_measures
from experiments.report.reading.costs import read_costs
from experiments.report.reading.curves import curves_of, read_logged
from experiments.report.reading.provenance import read_provenance
from experiments.report.reading.robustness import read_robustness
from experiments.report.reading.rows import is_clean_accuracy, read_wanted_rows
from experiments.report.scores import PRIMARY_PROBE, collect_scores
from experiments.results import Row
from experiments.statistics import BASELINE, VariantKey, analyse
from vjepa.errors import UserError

if TYPE_CHECKING:
    from experiments.ablation.cells import Cell
    from experiments.ablation.spec import Ablation

_NO_PROFILE = "smoke"
"""What statistics are told to look for where nothing was corrupted; they find none of it."""


def read_findings(cells: Sequence[Cell], ablation: Ablation) -> Findings:
    """Read the finished cells and compare them.

    Args:
        cells: all planned ones.
        ablation: what was asked.

    Raises:
        UserError: no cell is finished, or results are damaged, contradict one another or mix protocols.
    """
    done = finished(cells)
    if not done:
        raise UserError(
            f"report: none of the {len(cells)} cells of {ablation.folder} is finished: run the ablation first"
        )
    folders = [folder for cell in done for folder in evaluation_folders(cell)]
    rows = read_wanted_rows(result_files(done))
    primary = PRIMARY_PROBE if PRIMARY_PROBE in ablation.probes else ablation.probes[0]
    measures = collect_measures(rows)
    candidates = _candidates(done, cells, rows)
    profile, logged = ablation.profile or "", read_logged(done)
    return Findings(
        title=ablation.title,
        candidates=candidates,
        scores=collect_scores(row for row in rows if is_clean_accuracy(row)),
        measures=measures,
        analysis=analyse(folders, primary_probe=primary, profile=profile or _NO_PROFILE),
        robustness=read_robustness(folders, measures, primary, profile),
        curves=curves_of(logged),
        costs=read_costs(logged),
        missing={cell.label: str(state_of(cell)) for cell in cells if cell not in done},
        profile=profile,
        primary_probe=primary,
        provenance=read_provenance(done, cells, ablation, rows),
        config_hashes=_hashes(done),
        command=ablation.command or "the command was not recorded",
        board_command=f"tensorboard --logdir {ablation.folder} --host 127.0.0.1",
        caveats=ablation.notes,
    )


def _candidates(done: Sequence[Cell], cells: Sequence[Cell], rows: Sequence[Row]) -> tuple[Candidate, ...]:
    """Variants with a finished cell: by reading, baseline first, then in the order of the plan."""
    planned = dict.fromkeys(cell.variant for cell in cells)
    order = sorted(planned, key=lambda variant: variant != BASELINE)
    readings = list(dict.fromkeys(cell.reading for cell in cells))
    numbers = [variant for variant in order if any(cell.variant == variant for cell in done)]
    tried = Counter(
        (cell.variant.partition("@")[0], cell.reading) for cell in {(c.variant, c.reading): c for c in done}.values()
    )
    about = {(row.variant, row.reading): row for row in rows if row.weights != "pixels"}
    found = []
    for reading in readings:
        for variant in numbers:
            seeds = tuple(sorted(cell.seed for cell in done if (cell.variant, cell.reading) == (variant, reading)))
            row = about.get((variant, reading))
            if seeds and row is not None:
                settings = tried[variant.partition("@")[0], reading]
                key = VariantKey(variant, reading)
                found.append(Candidate(key, numbers.index(variant) + 1, row.layout, row.weights, seeds, settings))
    return tuple(found)


def _hashes(done: Sequence[Cell]) -> dict[str, str]:
    """Seeds and hashes of each variant and reading."""
    found: dict[str, list[str]] = {}
    for cell in done:
        found.setdefault(f"{cell.variant} {cell.reading}", []).append(f"seed {cell.seed}: {cell.run.config_hash[:12]}")
    return {name: ", ".join(hashes) for name, hashes in found.items()}
