"""From folders of finished cells to findings: real files, real statistics, numbers that can be worked out."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from torch.utils.tensorboard import SummaryWriter

from experiments.ablation.cells import Cell
from experiments.ablation.spec import Ablation, Grid
from experiments.report import write_ablation_report
from experiments.report.measures import Measure
from experiments.report.reading import read_findings
from experiments.report.reading.robustness import interval
from experiments.results import merge_rows, read_predictions, read_rows
from experiments.results.files import PREDICTIONS, RESULTS
from experiments.runs import Run
from experiments.statistics import VariantKey
from tests.experiments.statistics.invented import PROFILE, TASKS, stamp_of, write_evaluation
from vjepa.errors import UserError

VARIANTS = ("ld", "baseline", "fwm_ld")
ACCURACY = {"baseline": 0.7, "ld": 0.7, "fwm_ld": 0.95, "random_init": 0.3, "pixels": 0.3}
MAJORITY = 0.2
SETTINGS = {"probe": {"benchmarks": {"glyphs": {"name": "glyphs"}}}, "trainer": {"max_steps": 500}}


def make_cell(out, variant: str, seed: int, done: bool = True) -> Cell:
    """A cell whose run was evaluated; the baseline's has the controls."""
    run = Run(out / "runs" / variant / f"seed{seed}", f"{variant}{seed}" * 4)
    cell = Cell(variant, "as_described", seed, run, out / "cells" / variant / f"seed{seed}", "h", SETTINGS)
    cell.folder.mkdir(parents=True)
    if not done:
        cell.failed_mark.write_text(json.dumps({"reason": "the disk was full"}))
        return cell
    layout = "within_level" if variant.startswith("fwm") else "whole"
    names = [variant, *(["random_init", "pixels"] if variant == "baseline" else [])]
    stamps = [replace(stamp_of(name, seed), layout=layout) for name in names]
    folder = write_evaluation(run.folder / "evaluation" / "glyphs", stamps, ACCURACY, ("linear_time", "knn"))
    rows = read_rows(folder / RESULTS)
    floors = [replace(row, metric="majority_rate", value=MAJORITY) for row in rows]
    merge_rows(folder / RESULTS, [*floors, *(replace(row, metric="constant_predictor", value=0.0) for row in rows)])
    with SummaryWriter(str(run.folder)) as writer:
        for step in range(0, 100, 20):
            writer.add_scalar("collapse/rankme", 10 + step, step)
            writer.add_scalar("throughput/clips_per_second", 50.0 if variant == "fwm_ld" else 100.0, step)
    run.environment.write_text(json.dumps({"machine": "2 cores", "date": "2026-01-02T03:04", "git_revision": "abc"}))
    seconds = {"fit": 60.0 + seed, "evaluation": 30.0}
    cell.done_mark.write_text(json.dumps({"hash": "h", "seconds": seconds, "peak_rss_bytes": 2**30}))
    return cell


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """Cells of three variants and two seeds, one of them failed, and what was asked for."""
    out = tmp_path_factory.mktemp("ablation")
    missing = ("ld", 1)
    cells = [make_cell(out, variant, seed, (variant, seed) != missing) for variant in VARIANTS for seed in (0, 1)]
    grid = Grid(VARIANTS, seeds=(0, 1))
    asked = Ablation(
        (grid,), str(out), title="Invented", profile=PROFILE, probes=("linear_time", "knn"), command="vjepa x"
    )
    return cells, asked


@pytest.fixture(scope="module")
def findings(planned):
    return read_findings(*planned)


def test_candidates_are_numbered_baseline_first(findings):
    found = [(c.number, c.key.variant, c.seeds, c.is_factorized) for c in findings.candidates]
    assert found == [(1, "baseline", (0, 1), False), (2, "ld", (0,), False), (3, "fwm_ld", (0, 1), True)]


def test_statistics_scores_and_measures_speak_of_the_same_runs(findings):
    assert findings.scores.tasks == tuple(TASKS)
    measure = Measure("glyphs/motion", "top1", "knn")
    assert findings.measures.per_seed(VariantKey("fwm_ld", "as_described"), measure) == {0: 0.95, 1: 0.95}
    assert {c.endpoint.name for c in findings.analysis.comparisons} == {"mPC", "SSI", "accuracy"}


def test_retained_accuracy_is_the_ratio_above_chance(findings, planned):
    key, task = VariantKey("fwm_ld", "as_described"), "glyphs/appearance"
    ratios = []
    for cell in planned[0][-2:]:
        blocks = read_predictions(cell.run.folder / "evaluation" / "glyphs" / PREDICTIONS)
        right = {b.corruption: b.correct.mean() for b in blocks if (b.benchmark, b.probe) == (task, "linear_time")}
        ratios.append((right["gaussian_noise"] - MAJORITY) / (right["none"] - MAJORITY))
    assert findings.robustness.retained[key, task, "gaussian_noise"].value == pytest.approx(np.mean(ratios))


def test_only_two_seeds_can_be_told_apart(findings):
    told = {key.variant: cell.told_apart for (key, _, _), cell in findings.robustness.retained.items()}
    assert told["ld"] is None
    assert told["baseline"] is None
    assert told["fwm_ld"] in (True, False)


def test_curves_start_at_clean_clips(findings):
    key = VariantKey("fwm_ld", "as_described")
    levels = {at[2:]: level for at, level in findings.robustness.accuracy.items() if at[:2] == (key, "glyphs")}
    assert {severity for _, severity in levels} == {0, 3}
    assert len({levels[name, 0] for name, _ in levels}) == 1
    assert 0.9 < levels["fog" if ("fog", 0) in levels else "gaussian_noise", 0].mean < 1
    alone = findings.robustness.accuracy[VariantKey("ld", "as_described"), "glyphs", "gaussian_noise", 3]
    assert np.isnan(alone.low)


def test_costs_are_means_and_steps_are_compared_with_the_baseline(findings):
    cost = findings.costs[VariantKey("fwm_ld", "as_described")]
    assert (cost.fit_seconds, cost.evaluation_seconds, cost.steps, cost.peak_bytes) == (60.5, 30.0, 500, 2**30)
    assert cost.step_ratio == pytest.approx(2.0)
    assert cost.parameters is None
    assert findings.costs[VariantKey("baseline", "as_described")].step_ratio == 1.0


def test_curves_missing_cells_and_provenance_are_read(findings):
    (first, second) = findings.curves[VariantKey("baseline", "as_described")]["collapse/rankme"]
    assert first.values == second.values == (10, 30, 50, 70, 90)
    assert findings.missing == {"ld as_described seed 1": "failed: the disk was full"}
    assert findings.provenance["cells"] == "5 of 6 finished"
    assert findings.provenance["machine"] == "2 cores"
    assert findings.config_hashes["ld as_described"] == "seed 0: ld0ld0ld0ld0"


def test_the_whole_report_is_written(planned, tmp_path):
    paths = write_ablation_report(tmp_path, *planned)
    text = paths.markdown.read_text()
    assert "fwm\\_ld \u2212 ld" in text
    assert "the disk was full" in text
    assert "heat_map_glyphs_motion.png" in text
    assert "Factorized minus not factorized" in text or "nothing is claimed" in text


def test_clean_clips_alone_can_be_reported(planned):
    cells, asked = planned
    found = read_findings(cells, replace(asked, profile=None))
    assert found.profile == ""
    assert not found.robustness.retained


def test_nothing_finished_is_refused(tmp_path):
    cell = make_cell(tmp_path, "baseline", 0, done=False)
    with pytest.raises(UserError, match="none of the 1 cells"):
        write_ablation_report(tmp_path / "report", [cell], Ablation((Grid(("baseline",)),), str(tmp_path)))
    assert not (tmp_path / "report").exists()


def test_one_seed_has_no_interval():
    level = interval(np.array([[1.0, 0.0, 1.0]]))
    assert level.mean == pytest.approx(2 / 3)
    assert np.isnan(level.low)
    two = interval(np.array([[1.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 1.0]]))
    assert two.low < two.mean == 0.75 < two.high
