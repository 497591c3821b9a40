"""Estimates: what finished cells took, else arithmetic that says so."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from experiments.ablation.cells import Cell
from experiments.ablation.cost import assumptions, wall_seconds, with_costs
from experiments.ablation.durations import durations_near
from experiments.ablation.plan import plan_cells, shared_settings
from experiments.ablation.spec import Ablation, Grid, save


@lru_cache
def planned(**changes: Any) -> tuple[Ablation, list[Cell]]:
    """An ablation in no folder, with its shared settings, and its cells; resolved once for all tests."""
    asked = replace(Ablation((Grid(("baseline", "ld"), ("as_described",), (0,)),), "nowhere"), **changes)
    cells = plan_cells(asked)
    return replace(asked, training=shared_settings(cells)), cells


def finish(out: Path, variant: str, fit: float, evaluation: float) -> None:
    folder = out / "cells" / variant / "as_described" / "seed0-0"
    folder.mkdir(parents=True)
    (folder / "DONE.json").write_text(json.dumps({"seconds": {"fit": fit, "evaluation": evaluation}}))


def test_finished_cells_beside_the_folder_tell_what_a_step_takes(tmp_path: Path) -> None:
    done = planned()[0]
    save(replace(done, out=str(tmp_path / "done")))
    finish(tmp_path / "done", "baseline", 250.0, 60.0)
    asked, cells = planned(extra=("--trainer.max_steps=1000",))
    asked = replace(asked, out=str(tmp_path / "new"))
    baseline, ld = with_costs(cells, durations_near(asked))
    assert baseline.cost is not None and ld.cost is not None
    assert (baseline.cost.fit, baseline.cost.evaluation, baseline.cost.measured) == (100.0, 60.0, True)
    assert ld.cost.fit == 100.0
    finish(tmp_path / "done", "ld", 500.0, 0.0)
    assert with_costs(cells, durations_near(asked))[1].cost.fit == 200.0  # type: ignore[union-attr]
    # Of another evaluation only training is comparable; of other data or another preset, nothing.
    otherwise = durations_near(replace(asked, profile="smoke"))
    assert otherwise and all(each.evaluation is None and each.fit_per_step for each in otherwise)
    other_preset = replace(planned(preset="small")[0], out=str(tmp_path / "new"))
    assert durations_near(other_preset) == []


def test_arithmetic_grows_with_the_work_and_says_what_it_assumes() -> None:
    first, second = (with_costs(planned(**changes)[1], [])[1].cost for changes in ({}, {"preset": "small"}))
    assert first is not None and second is not None and not first.measured
    assert 60 < first.fit < 1500 and second.fit > 5 * first.fit and second.evaluation > first.evaluation
    clean = with_costs(planned(profile=None)[1], [])[1].cost
    assert clean is not None and clean.evaluation < first.evaluation
    assert "not measured" in assumptions()


def test_time_until_the_last_cell_ends() -> None:
    assert wall_seconds([3.0, 1.0, 1.0, 2.0], 2) == 4.0
    assert wall_seconds([3.0, 1.0], 1) == 4.0 and wall_seconds([], 2) == 0.0
