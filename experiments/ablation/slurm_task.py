"""What a job of a cluster runs: the process of one cell, stopped and queued again when the job has to end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from experiments.ablation.process_group import ProcessGroup
from experiments.ablation.scheduler import STOP_SECONDS


@dataclass
class CellTask:
    """Runs a command; called by submitit, which asks for a checkpoint before the job is over.

    Args:
        command: of the process of a cell.
        environment: variables that are set for it.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    group: ProcessGroup | None = field(default=None, repr=False, compare=False)

    def __call__(self) -> int:
        """Run it; returns its exit code, in which nobody believes."""
        with ProcessGroup(self.command, stdout=None, environment=os.environ | dict(self.environment)) as self.group:
            while (code := self.group.wait(1.0)) is None:
                continue
        return code

    def checkpoint(self) -> Any:
        """Let the cell stop where it is; the same command goes on from there in the next job."""
        from submitit.helpers import DelayedSubmission

        if self.group is not None:
            self.group.terminate()
            self.group.wait(STOP_SECONDS)
        return DelayedSubmission(CellTask(self.command, self.environment))
