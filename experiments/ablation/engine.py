"""What runs cells: processes of this machine, or a cluster."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.ablation.cells import Cell
from experiments.ablation.scheduler import Outcome, run_local
from experiments.ablation.scheduler_slots import Slot, cpu_slots, cuda_slots, num_cores, visible_gpus
from experiments.ablation.slurm import run_slurm
from experiments.ablation.slurm_options import add_slurm_arguments, slurm_options
from vjepa.errors import UserError

CPU = "cpu"


@dataclass(frozen=True)
class Engine:
    """What runs cells.

    Args:
        run: runs cells of an ablation in its folder.
        slots: cells that it runs at a time, as far as that is known.
    """

    run: Callable[[Sequence[Cell], Path], Outcome]
    slots: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that choose an engine."""
    ask: Any = parser.add_argument
    ask("--engine", choices=("local", "slurm"), default="local", help="where cells run (%(default)s)")
    ask("--jobs", type=int, default=1, help="cells at the same time on the processor (%(default)s)")
    ask("--devices", help="GPUs that take a cell each, with commas, or cpu (all GPUs that are visible, else cpu)")
    add_slurm_arguments(parser)


def engine_of(known: argparse.Namespace) -> Engine:
    """The engine that options choose.

    Raises:
        UserError: no jobs, or a GPU that is not there.
    """
    if known.engine == "slurm":
        options = slurm_options(known)
        return Engine(lambda cells, folder: run_slurm(cells, folder, options, say=_say), options.parallel)
    return _local(slots_of(known.devices, known.jobs))


def local_engine(most: int) -> Engine:
    """All GPUs of this machine, or its cores shared by at most ``most`` cells."""
    return _local(slots_of(None, 1) if visible_gpus() else cpu_slots(min(most, num_cores())))


def slots_of(devices: str | None, jobs: int) -> list[Slot]:
    """Places on this machine; arguments and errors as ``engine_of``."""
    there = visible_gpus()
    if devices == CPU or (devices is None and not there):
        return cpu_slots(jobs)
    if jobs != 1:
        raise UserError(f"--jobs {jobs}: a GPU takes one cell at a time; --devices chooses GPUs, or cpu")
    asked = there if devices is None else [name.strip() for name in devices.split(",")]
    for name in asked:
        if name not in there:
            raise UserError(
                f"--devices {devices}: GPU {name!r} is not visible, expected some of {', '.join(there)}, or cpu"
            )
    return cuda_slots(asked)


def _local(slots: Sequence[Slot]) -> Engine:
    return Engine(lambda cells, folder: run_local(cells, slots, say=_say), len(slots))


def _say(line: str) -> None:
    print(line, flush=True)
