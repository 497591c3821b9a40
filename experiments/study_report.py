"""From the results of a study to its report."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from experiments.environment import describe_machine, package_versions
from experiments.evaluation.evaluate import PREDICTIONS, RESULTS
from experiments.load import load_data
from experiments.report import (
    Comparison,
    ReportFacts,
    TrainingCurve,
    format_console_table,
    read_scalars,
    render,
)
from experiments.report.scores import variant_title
from experiments.results import Predictions, Row, git_revision, is_random_init, read_predictions, read_rows
from experiments.statistics import compare
from experiments.study import load_study
from experiments.study_evaluation import evaluation_folder
from experiments.study_plan import Cell, Study, plan_cells

CURVES = {
    "train/loss": "training loss",
    "collapse/rankme": "RankMe of the context",
    "collapse/target_variance": "target variance",
}


def write_report(study: Study, cells: Sequence[Cell]) -> Path:
    """Write report.md, report.html and the plots; print the table and where to look."""
    rows, predictions = read_study(study)
    data = load_data(cells[0].run)
    sizes = {split: len(data.dataset(split)) for split in ("train", "val", "test")}  # type: ignore[arg-type]
    board = f"tensorboard --logdir {study.folder / 'runs'} --host 127.0.0.1"
    facts = ReportFacts(
        title=study.title,
        question="What does the frozen encoder hold of appearance, motion and time order, beyond what its random "
        "initialisation holds, and does factorizing the latent change that?",
        command=study.command,
        data=data.name,
        num_seeds=len(study.seeds),
        num_train=min(sizes["train"], study.num_train or sizes["train"]),
        num_val=sizes["val"],
        num_test=min(sizes["test"], study.num_test or sizes["test"]),
        protocol_hashes={row.probe: row.protocol_hash for row in rows if row.corruption == "none"},
        config_hashes={cell.label: cell.run.config_hash for cell in cells},
        git_revision=git_revision(),
        versions=package_versions(),
        machine=describe_machine(),
        date=datetime.now(UTC).date().isoformat(),
        caveats=study.caveats,
        tensorboard_command=board,
    )
    paths = render(study.folder, rows, comparisons(predictions, study.probes), curves(cells), facts)
    print()
    print(format_console_table(rows))
    print(f"\nreport: {paths.html} and {paths.markdown}\ntraining curves: {board}")
    return study.folder


def read_study(study: Study) -> tuple[list[Row], list[Predictions]]:
    """All rows and per-clip predictions of a study."""
    rows: list[Row] = []
    predictions: list[Predictions] = []
    for seed in study.seeds:
        folder = evaluation_folder(study, seed)
        rows += read_rows(folder / RESULTS)
        predictions += read_predictions(folder / PREDICTIONS)
    return rows, predictions


def comparisons(predictions: Sequence[Predictions], probes: Sequence[str]) -> list[Comparison]:
    """The encoder of every run against its random initialisation, then every other variant against the baseline."""
    clean = [block for block in predictions if block.corruption == "none" and block.subspace == "whole"]
    init = [block for block in clean if is_random_init(block.stamp)]
    chosen: dict[tuple[str, str], list[Predictions]] = {}
    for block in clean:
        if block.stamp.weights != "pixels" and not is_random_init(block.stamp):
            chosen.setdefault((block.stamp.variant, block.stamp.reading), []).append(block)
    pairs = [(_title(name, chosen), "its random init", blocks, init) for name, blocks in chosen.items()]
    for name, blocks in chosen.items():
        baseline = _baseline_of(name, chosen)
        if baseline is not None:
            pairs.append((_title(name, chosen), _title(baseline, chosen), blocks, chosen[baseline]))
    benchmarks = list(dict.fromkeys(block.benchmark for block in clean))
    return [
        Comparison(
            treatment, control, benchmark, probe, compare(_pick(a, benchmark, probe), _pick(b, benchmark, probe))
        )
        for treatment, control, a, b in pairs
        for probe in probes
        for benchmark in benchmarks
    ]


def _baseline_of(name: tuple[str, str], chosen: Mapping[tuple[str, str], object]) -> tuple[str, str] | None:
    """The baseline of the same reading and swept settings, or without settings; None for the baseline itself."""
    variant, reading = name
    settings = variant.partition("@")[2]
    for candidate in ((f"baseline@{settings}", reading), ("baseline", reading)):
        if candidate in chosen and candidate != name:
            return candidate
    return None


def _title(name: tuple[str, str], chosen: Mapping[tuple[str, str], Sequence[Predictions]]) -> str:
    variant, reading = name
    marks = [reading] if len({other for _, other in chosen}) > 1 else []
    marks += ["initial weights"] if chosen[name][0].stamp.weights == "init" else []
    return f"{variant_title(variant)} ({', '.join(marks)})" if marks else variant_title(variant)


def _pick(blocks: Sequence[Predictions], benchmark: str, probe: str) -> list[Predictions]:
    return [block for block in blocks if block.benchmark == benchmark and block.probe == probe]


def curves(cells: Sequence[Cell]) -> list[TrainingCurve]:
    """Loss and collapse diagnostics of every run."""
    found = []
    for cell in cells:
        scalars = read_scalars(cell.run.folder, list(CURVES))
        found.append(
            TrainingCurve(variant_title(cell.variant), {CURVES[tag]: values for tag, values in scalars.items()})
        )
    return found


def main(options: Sequence[str]) -> int:
    """``vjepa report``."""
    parser = argparse.ArgumentParser("vjepa report", description="Write the report of a study again.")
    parser.add_argument("folder", type=Path, help="folder of vjepa study or demo")
    study = load_study(parser.parse_args(list(options)).folder)
    write_report(study, plan_cells(study))
    return 0
