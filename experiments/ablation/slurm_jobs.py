"""Which job was submitted for which cell, so that a second call does not submit it again."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vjepa.storage import atomic_write_text

FILE = "slurm.json"
_LIST_LAG_SECONDS = 600.0
"""The cluster's accounting may know nothing of a job for so long."""


@dataclass(frozen=True)
class Submitted:
    """One job.

    Args:
        job: its number, with its place in an array.
        executor: that took it.
        when: seconds since the epoch.
    """

    job: str
    executor: str
    when: float

    def is_alive(self, folder: Path) -> bool:
        """Whether it waits or runs, as far as the cluster says.

        Args:
            folder: of the logs of the jobs.
        """
        import submitit

        if self.executor != "slurm":
            return False
        job: Any = submitit.SlurmJob(folder=folder, job_id=self.job)
        if str(job.state).upper() == "UNKNOWN":
            return time.time() - self.when < _LIST_LAG_SECONDS
        return not job.done(force_check=True)


def read_jobs(folder: Path) -> dict[str, Submitted]:
    """Jobs of an ablation by the hash of the cell."""
    try:
        said = json.loads((folder / FILE).read_text())
        return {key: Submitted(**job) for key, job in said.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_jobs(folder: Path, jobs: Mapping[str, Submitted]) -> None:
    """Keep them."""
    said = {key: asdict(job) for key, job in jobs.items()}
    atomic_write_text(folder / FILE, json.dumps(said, indent=2) + "\n")
