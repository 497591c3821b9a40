"""A plan in words: cells, how far they are, what they cost, and what will be written where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from experiments.ablation.cells import Cell
from experiments.ablation.cost import assumptions, wall_seconds
from experiments.ablation.planning import Plan
from experiments.ablation.progress_eta import duration
from experiments.ablation.state import State, state_of
from experiments.results.table import CSV, TABLE

Say = Callable[[str], Any]


def show_plan(plan: Plan, cells: Sequence[Cell], slots: int, say: Say = print, *, whole: bool = False) -> None:
    """Print a plan.

    Args:
        plan: of a command.
        cells: those that it asks for, with their costs.
        slots: cells that run at a time.
        say: called with each line.
        whole: print every cell and what will be written; else a summary.
    """
    ablation = plan.ablation
    states = {cell: state_of(cell) for cell in cells}
    say(f"{ablation.title}: {len(cells)} cells in {ablation.folder}")
    say(f"  variants  {', '.join(dict.fromkeys(cell.variant for cell in cells))}")
    say(f"  readings  {', '.join(dict.fromkeys(cell.reading for cell in cells))}")
    say(f"  seeds     {', '.join(str(seed) for seed in dict.fromkeys(cell.seed for cell in cells))}")
    probes, benchmarks = ", ".join(ablation.probes), ", ".join(ablation.benchmarks) or "those of the data"
    say(f"  data      {ablation.data}; probes {probes}; profile {ablation.profile or 'none'}; on {benchmarks}")
    for remark in plan.remarks:
        say(f"  note      {remark}")
    if whole:
        say("")
        _show_cells(states, say)
    counts = Counter(state.stage for state in states.values())
    say(f"  state     {', '.join(f'{count} {stage}' for stage, count in counts.items())}")
    _show_cost([cell for cell, state in states.items() if state.stage != "done"], slots, say)
    if whole:
        _show_files(plan, say)


def _show_cells(states: dict[Cell, State], say: Say) -> None:
    width = max(len(cell.label) for cell in states)
    say(f"  {'cell':<{width}}  {'fit':>8}  {'evaluate':>8}  state")
    for cell, state in states.items():
        fit, evaluation = ("-", "-") if cell.cost is None or state.stage == "done" else _times(cell)
        say(f"  {cell.label:<{width}}  {fit:>8}  {evaluation:>8}  {state}")
    say("")


def _times(cell: Cell) -> tuple[str, str]:
    assert cell.cost is not None
    return (duration(cell.cost.fit) if cell.cost.fit else "-"), duration(cell.cost.evaluation)


def _show_cost(waiting: Sequence[Cell], slots: int, say: Say) -> None:
    costs = [cell.cost for cell in waiting if cell.cost is not None]
    if not costs:
        return
    seconds = [cost.seconds for cost in costs]
    at_once = f"{slots} cells at a time" if slots > 1 else "one cell at a time"
    say(
        f"  cost      {duration(sum(seconds))} of work, done in {duration(wall_seconds(seconds, slots))} with {at_once}"
    )
    how = "as finished cells of the same data and preset took" if all(c.measured for c in costs) else assumptions()
    say(f"            estimated {how}")


def _show_files(plan: Plan, say: Say) -> None:
    folder, cells = plan.ablation.folder, plan.open or plan.asked
    say(f"  writes    {folder}/ablation.json, {TABLE}, {CSV}, report.md, report.html, plots/, board/")
    say(f"            {cells[0].folder}/: configuration, log and marks of each cell")
    say(f"            {cells[0].run.folder}/: run and evaluation of each cell")
    say("nothing has been written: this was a dry run")
