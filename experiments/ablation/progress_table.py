"""How far each cell of a plan is, by what lies on the disk: for whoever looks from another terminal or host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from experiments.ablation.cells import Cell
from experiments.ablation.process_pulse import read_pulse, seconds_since
from experiments.ablation.progress_eta import duration

QUIET_SECONDS = 120.0
"""A heartbeat older than this is told as the time of the last sign of life, not as a cell at work."""


def state_of(cell: Cell) -> tuple[str, str]:
    """A word for the state of a cell, and what there is to say about it."""
    if cell.is_done:
        return "finished", ""
    if cell.failure is not None:
        return "failed", cell.failure
    pulse, age = read_pulse(cell.heartbeat), seconds_since(cell.heartbeat)
    if pulse is None or age is None:
        return "waiting", ""
    if age < QUIET_SECONDS:
        return "running", str(pulse)
    return "begun", f"{pulse}; last sign of life {duration(age)} ago"


def state_table(cells: Sequence[Cell]) -> str:
    """Counts, then a line for each cell that is not finished."""
    states = [(cell, *state_of(cell)) for cell in cells]
    counts = Counter(word for _, word, _ in states)
    lines = [", ".join(f"{counts[word]} {word}" for word in dict.fromkeys(word for _, word, _ in states))]
    width = max((len(cell.label) for cell in cells), default=0)
    for cell, word, told in states:
        if word != "finished":
            lines.append(f"  {word:<8} {cell.label:<{width}}  {told}".rstrip())
    return "\n".join(lines)
