"""A planned ablation: its cells, and those of them that a command asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.ablation.cells import Cell
from experiments.ablation.check import check_names
from experiments.ablation.groups import BASELINE
from experiments.ablation.plan import of_grid, plan_cells, shared_settings
from experiments.ablation.request import Request, check_growth, merge_request
from experiments.ablation.spec import FILE, Ablation, Grid, load
from experiments.ablation.state import State, state_of
from experiments.results import git_revision


@dataclass(frozen=True)
class Plan:
    """An ablation with its cells.

    Args:
        ablation: as asked, with what the plan found out about it.
        cells: all that its folder is to hold.
        asked: those that this command asks for.
        remarks: what the plan did beyond what was asked, and what it changes.
    """

    ablation: Ablation
    cells: tuple[Cell, ...]
    asked: tuple[Cell, ...]
    remarks: tuple[str, ...] = ()

    @property
    def open(self) -> tuple[Cell, ...]:
        """Cells of this command that are not finished."""
        return tuple(cell for cell in self.asked if state_of(cell).stage != "done")

    @property
    def lacking(self) -> dict[Cell, State]:
        """Cells of the folder that are not finished, and how far they are."""
        states = {cell: state_of(cell) for cell in self.cells}
        return {cell: state for cell, state in states.items() if state.stage != "done"}


def plan_request(request: Request) -> Plan:
    """Plan what a command asks for, over what its folder holds. Nothing is written.

    Raises:
        UserError: anything in the request that cannot be, or that does not fit the folder.
    """
    ablation, asked = merge_request(request)
    check_names(ablation)
    cells = plan_cells(ablation)
    training = shared_settings(cells)
    check_growth(ablation, training)
    chosen = dict.fromkeys(cell for grid in asked for cell in of_grid(cells, grid))
    remarks = [*_added_baseline(asked), *_evaluated_otherwise(ablation, request.out)]
    notes = dict.fromkeys(f"{cell.variant} {cell.reading}: {cell.note}" for cell in cells if cell.note)
    told = tuple(dict.fromkeys((*ablation.notes, *notes)))
    ablation = replace(ablation, training=training, git_revision=git_revision(), notes=told)
    return Plan(ablation, tuple(cells), tuple(chosen), (*remarks, *notes))


def plan_folder(folder: Path) -> Plan:
    """Plan again what a folder holds.

    Raises:
        UserError: it holds no ablation, or one that this version of the code plans otherwise.
    """
    ablation = load(folder)
    cells = plan_cells(ablation)
    check_growth(ablation, shared_settings(cells))
    return Plan(ablation, tuple(cells), tuple(cells))


def _added_baseline(grids: Sequence[Grid]) -> list[str]:
    missing = any(BASELINE not in grid.variants for grid in grids)
    return ["the baseline is added: every variant is compared with the baseline of its seed"] if missing else []


def _evaluated_otherwise(ablation: Ablation, out: Path) -> list[str]:
    if not (out / FILE).exists():
        return []
    stored = load(out)
    changed = [
        f"{name} {_text(getattr(stored, name))} before, {_text(getattr(ablation, name))} now"
        for name in ("probes", "profile", "benchmarks")
        if getattr(stored, name) != getattr(ablation, name)
    ]
    if not changed:
        return []
    return [f"evaluated otherwise than before ({'; '.join(changed)}): runs are kept, their evaluation is made anew"]


def _text(value: str | tuple[str, ...] | None) -> str:
    return value if isinstance(value, str) else ",".join(value or ()) or "none"
