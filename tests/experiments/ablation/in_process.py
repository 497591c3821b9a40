"""Runs cells in this process: the two commands of each cell, without the seconds that new processes take to start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.ablation.cells import Cell
from experiments.ablation.engine import Engine
from experiments.ablation.process_marks import missing_result, write_done, write_failed
from experiments.ablation.scheduler import Outcome
from experiments.ablation.state import evaluation_folders
from experiments.cli import main

TINY = (
    "--trainer.max_steps=4", "--data.init_args.train_clips=64", "--data.init_args.val_clips=64",
    "--data.init_args.test_clips=96", "--stability.enabled=false", "--order.enabled=false", "--subspaces.enabled=false",
    "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false",
)  # fmt: skip
"""Options that make a cell small."""


def run_here(cells: Sequence[Cell], folder: Path, failing: Mapping[str, str] | None = None) -> Outcome:
    """Run cells one after the other; those in ``failing`` fail with the reason given there."""
    failed = {}
    for cell in cells:
        if failing and cell.label in failing:
            write_failed(cell, failing[cell.label])
            failed[cell.label] = failing[cell.label]
            continue
        cell.failed_mark.unlink(missing_ok=True)
        if not cell.run.is_done:
            assert main(["fit", "--config", str(cell.config)]) == 0
        assert main(["test", "--config", str(cell.config)]) == 0
        assert missing_result(cell, evaluation_folders(cell)) is None
        write_done(cell, {"fit": 2.0, "evaluation": 3.0}, 1, evaluation_folders(cell))
    return Outcome(tuple(cell.label for cell in cells if cell.is_done), failed)


HERE = Engine(run_here, 1)
