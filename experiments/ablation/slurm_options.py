"""What is asked of a cluster for each cell."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any, Literal, get_args

from vjepa.errors import UserError

Executor = Literal["slurm", "local"]


@dataclass(frozen=True)
class SlurmOptions:
    """Resources of one cell, and how cells are submitted.

    Args:
        partition: of the cluster; None takes its default.
        gpus: for each process of a cell; 0 trains on processors.
        cpus: cores for each process of a cell.
        hours: time limit of a job; a cell that needs longer is queued again and goes on.
        memory: GB for each process of a cell; None takes the default of the cluster.
        parallel: most cells at the same time.
        requeues: how often a job that ran out of time is queued again.
        wait: whether to wait for the jobs and tell what becomes of them.
        executor: ``local`` runs the same jobs on this machine, for trials.
        settings: further options of sbatch as NAME=VALUE.

    Raises:
        UserError: a number that makes no sense.
    """

    partition: str | None = None
    gpus: int = 1
    cpus: int = 8
    hours: float = 24.0
    memory: float | None = None
    parallel: int = 16
    requeues: int = 20
    wait: bool = False
    executor: Executor = "slurm"
    settings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, least in (("gpus", 0), ("cpus", 1), ("parallel", 1), ("requeues", 0)):
            if getattr(self, name) < least:
                raise UserError(f"--{name} {getattr(self, name)}: expected {least} or more")
        for name in ("hours", "memory"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UserError(f"--{name} {value:g}: expected more than 0")
        for setting in self.settings:
            if not all(part.strip() for part in setting.partition("=")):
                raise UserError(f"--sbatch {setting!r}: expected NAME=VALUE, for example account=vision")

    @property
    def minutes(self) -> int:
        """The time limit in minutes."""
        return max(1, round(self.hours * 60))

    def parameters(self, devices: int) -> dict[str, Any]:
        """Parameters of submitit for cells of so many processes."""
        asked: dict[str, Any] = {
            "name": "vjepa-ablation",
            "nodes": 1,
            "tasks_per_node": 1,
            "cpus_per_task": self.cpus * devices,
            "gpus_per_node": self.gpus * devices,
            "timeout_min": self.minutes,
            "mem_gb": None if self.memory is None else self.memory * devices,
            "slurm_partition": self.partition,
            "slurm_array_parallelism": self.parallel,
            # A cell needs less than 30 s to stop.
            "slurm_signal_delay_s": 120,
            "slurm_additional_parameters": dict(setting.split("=", 1) for setting in self.settings) or None,
        }
        if not asked["gpus_per_node"]:
            del asked["gpus_per_node"]
        return {name: value for name, value in asked.items() if value is not None}


def add_slurm_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``--engine slurm``."""
    ask: Any = parser.add_argument_group("with --engine slurm").add_argument
    default = SlurmOptions()
    ask("--partition", help="of the cluster")
    ask("--gpus", type=int, default=default.gpus, help="for each process of a cell, 0 for none (%(default)s)")
    ask("--cpus", type=int, default=default.cpus, help="cores for each process of a cell (%(default)s)")
    ask(
        "--hours",
        type=float,
        default=default.hours,
        help="time limit; a longer cell goes on in another job (%(default)s)",
    )
    ask("--memory", type=float, help="GB for each process of a cell (default of the cluster)")
    ask("--parallel", type=int, default=default.parallel, help="most cells at the same time (%(default)s)")
    ask("--requeues", type=int, default=default.requeues, help="further jobs for a cell out of time (%(default)s)")
    ask("--sbatch", action="append", default=[], metavar="NAME=VALUE", help="any option of sbatch, as account=vision")
    ask("--wait", action="store_true", help="wait for the jobs, then write the report")
    ask("--executor", choices=get_args(Executor), default=default.executor, help="local: the same jobs on this machine")


def slurm_options(known: argparse.Namespace) -> SlurmOptions:
    """What those options say.

    Raises:
        UserError: see ``SlurmOptions``.
    """
    names = ("partition", "gpus", "cpus", "hours", "memory", "parallel", "requeues", "wait", "executor")
    return SlurmOptions(settings=tuple(known.sbatch), **{name: getattr(known, name) for name in names})
