"""What an ablation writes before its first cell starts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import yaml

from experiments.ablation.cells import DONE, Cell
from experiments.ablation.spec import Ablation, save
from experiments.ablation.state import state_of
from vjepa.storage import atomic_write_text


def write_record(ablation: Ablation, cells: Sequence[Cell]) -> None:
    """Write ``ablation.json`` and the configuration of every cell that is to run.

    A finished cell whose evaluation is gone is finished no more. Nor is an earlier cell of the same run: its evaluation
    is about to be replaced.

    Raises:
        UserError: the folder cannot be written.
    """
    save(ablation)
    for cell in cells:
        if state_of(cell).stage == "done":
            continue
        atomic_write_text(cell.config, _text(cell))
        cell.done_mark.unlink(missing_ok=True)
        for mark in cell.folder.parent.glob(f"seed{cell.seed}-*/{DONE}"):
            if _run_of(mark) == cell.run.config_hash:
                mark.unlink(missing_ok=True)


def _text(cell: Cell) -> str:
    head = [
        f"# {cell.label}, resolved: this file holds every setting of the cell.",
        "#",
        "#   vjepa fit --config cell.yaml",
        "#   vjepa test --config cell.yaml",
        "",
    ]
    return "\n".join(head) + yaml.safe_dump(dict(cell.settings), sort_keys=False)


def _run_of(mark: Path) -> str | None:
    try:
        return str(json.loads(mark.read_text())["config_hash"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
