"""How far a cell is, and where its results are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from data_modules.named import find_class
from experiments.ablation.cells import Cell
from experiments.ablation.process_pulse import read_pulse, seconds_since
from experiments.ablation.progress_eta import duration
from experiments.evaluation.evaluate import DONE, RESULTS
from experiments.load import data_name

Stage = Literal["done", "failed", "running", "trained", "begun", "missing"]

QUIET_SECONDS = 120.0
"""A heartbeat older than this is told as the time of the last sign of life, not as a cell at work."""


@dataclass(frozen=True)
class State:
    """How far a cell is.

    Args:
        stage: ``trained`` lacks its evaluation, ``begun`` goes on from a checkpoint.
        reason: why it is no further, where there is one to tell.
    """

    stage: Stage
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.stage}: {self.reason}" if self.reason else self.stage


def state_of(cell: Cell) -> State:
    """How far a cell is, by what lies on the disk."""
    if cell.is_done:
        lost = [folder for folder in evaluation_folders(cell) if not _is_whole(folder)]
        return State("trained", f"no whole evaluation in {lost[0]}") if lost else State("done")
    if cell.failure is not None:
        return State("failed", cell.failure)
    pulse, age = read_pulse(cell.heartbeat), seconds_since(cell.heartbeat)
    if pulse is not None and age is not None and age < QUIET_SECONDS:
        return State("running", str(pulse))
    told = "" if pulse is None or age is None else f"{pulse}; last sign of life {duration(age)} ago"
    if cell.run.is_done:
        return State("trained", told)
    return State("begun", told) if cell.run.last_checkpoint.is_file() else State("missing")


def finished(cells: Sequence[Cell]) -> list[Cell]:
    """Cells whose evaluation is there, whole."""
    return [cell for cell in cells if state_of(cell).stage == "done"]


def evaluation_folders(cell: Cell) -> list[Path]:
    """Where the evaluations of a cell are kept, one for each of its benchmarks."""
    asked = cell.settings["probe"]["benchmarks"]
    if asked is None:
        names = [data_name(dict(cell.settings))]
    else:
        names = [str(options.get("name") or find_class(name).name) for name, options in asked.items()]
    return [cell.run.folder / "evaluation" / name for name in names]


def result_files(cells: Sequence[Cell]) -> list[Path]:
    """Files of rows of finished cells."""
    return [folder / RESULTS for cell in cells for folder in evaluation_folders(cell)]


def _is_whole(folder: Path) -> bool:
    try:
        said = json.loads((folder / DONE).read_text())
        return all((folder / name).is_file() for name in said if name != "key")
    except (OSError, ValueError, TypeError):
        return False
