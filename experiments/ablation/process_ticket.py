"""What a cell's process needs to know of its cell, kept beside it: reading it needs none of the heavy libraries."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from experiments.ablation.cells import Cell
from experiments.runs import Run
from vjepa.errors import UserError
from vjepa.storage import atomic_write_text

TICKET = "cell.json"
_EVALUATIONS = ("probe", "robustness", "stability", "order", "subspaces")


@dataclass(frozen=True)
class Ticket:
    """A cell as its own process knows it.

    Args:
        cell: without its settings.
        max_steps: optimizer steps of the run, None where they are not limited.
        benchmarks: names of the evaluations that ``vjepa test`` makes; none if no evaluation is on.
    """

    cell: Cell
    max_steps: int | None
    benchmarks: tuple[str, ...]

    @property
    def evaluations(self) -> list[Path]:
        """Folders of the evaluations."""
        return [self.cell.run.folder / "evaluation" / name for name in self.benchmarks]


def write_ticket(cell: Cell) -> None:
    """Write ``cell.json`` into the cell's folder.

    Args:
        cell: with its settings.

    Raises:
        UserError: the folder cannot be written.
    """
    steps = cell.settings.get("trainer", {}).get("max_steps")
    said = {
        "variant": cell.variant,
        "reading": cell.reading,
        "seed": cell.seed,
        "run": str(cell.run.folder),
        "config_hash": cell.run.config_hash,
        "hash": cell.hash,
        "devices": cell.devices,
        "max_steps": steps if isinstance(steps, int) and steps > 0 else None,
        "benchmarks": _benchmarks(cell),
    }
    atomic_write_text(cell.folder / TICKET, json.dumps(said, indent=2) + "\n")


def read_ticket(folder: Path) -> Ticket:
    """The ticket of the cell that a folder holds.

    Raises:
        UserError: the folder holds none.
    """
    try:
        said = json.loads((folder / TICKET).read_text())
        run = Run(Path(said.pop("run")), said.pop("config_hash"))
        max_steps, benchmarks = said.pop("max_steps"), tuple(said.pop("benchmarks"))
        return Ticket(Cell(run=run, folder=folder, **said), max_steps, benchmarks)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{folder} is no cell of an ablation ({TICKET} cannot be read: {error}); vjepa ablation makes them"
        ) from error


def _benchmarks(cell: Cell) -> list[str]:
    if not any((cell.settings.get(name) or {}).get("enabled") for name in _EVALUATIONS):
        return []
    if not (cell.settings.get("probe") or {}).get("benchmarks"):
        # A run that is judged on its own data has the name of the data in its path.
        return [cell.run.folder.parents[2].name]
    from experiments.ablation.state import evaluation_folders

    return [folder.name for folder in evaluation_folders(cell)]
