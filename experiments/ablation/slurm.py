"""The same plan as arrays of jobs on a SLURM cluster, through submitit."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from experiments.ablation.cells import Cell
from experiments.ablation.process import HANG_MINUTES
from experiments.ablation.process_marks import write_failed
from experiments.ablation.process_signals import stop_requests
from experiments.ablation.process_ticket import write_ticket
from experiments.ablation.progress import Progress
from experiments.ablation.scheduler import CellCommand, Outcome, cell_command
from experiments.ablation.slurm_jobs import Submitted, read_jobs, write_jobs
from experiments.ablation.slurm_options import SlurmOptions
from experiments.ablation.slurm_task import CellTask
from vjepa.errors import UserError

LOGS = "slurm"
_POLL_SECONDS = 1.0


def run_slurm(
    cells: Sequence[Cell],
    folder: Path,
    options: SlurmOptions,
    *,
    say: Callable[[str], None] = print,
    hang_minutes: float = HANG_MINUTES,
    command: CellCommand = cell_command,
) -> Outcome:
    """Submit every cell that is neither finished nor submitted, one array for each number of processes.

    A job that runs out of time, or is preempted, stops its cell and is queued again. Cells are finished by their
    ``DONE.json`` alone, whatever the cluster says of their jobs.

    Args:
        cells: in the order in which they are submitted; their configurations are on disk.
        folder: of the ablation, on a file system that the nodes see.
        options: what is asked of the cluster.
        say, hang_minutes, command: as ``run_local``.

    Returns:
        What is known when it returns; ``pending`` has the jobs of the rest.

    Raises:
        UserError: submitit or SLURM is not there, a cell needs several nodes, or the cluster refuses the jobs.
    """
    submitit = _import_submitit()
    for cell in cells:
        if int((cell.settings.get("trainer") or {}).get("num_nodes") or 1) > 1:
            raise UserError(f"{cell.label} needs several nodes: set trainer.num_nodes=1, a job has one node")
    logs = folder / LOGS
    known = read_jobs(folder)
    alive = {cell.hash: known[cell.hash] for cell in cells if cell.hash in known and known[cell.hash].is_alive(logs)}
    waiting = [cell for cell in cells if not cell.is_done and cell.hash not in alive]
    if alive:
        say(f"{len(alive)} cells are at work or queued already, and are not submitted again")
    work = _Submission(submitit, folder, options, say, hang_minutes, command, Progress(cells, options.parallel, say))
    work.jobs |= {key: submitit.SlurmJob(folder=logs, job_id=one.job) for key, one in alive.items()}
    if options.executor == "slurm":
        for devices in dict.fromkeys(cell.devices for cell in waiting):
            work.submit([cell for cell in waiting if cell.devices == devices], devices)
        waiting = []
        if not options.wait:
            return work.leave(cells)
    return work.follow(cells, deque(waiting))


@dataclass
class _Submission:
    submitit: ModuleType
    folder: Path
    options: SlurmOptions
    say: Callable[[str], None]
    hang_minutes: float
    command: CellCommand
    progress: Progress
    jobs: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def submit(self, cells: Sequence[Cell], devices: int) -> None:
        """Submit cells of one number of processes as one array."""
        for cell in cells:
            write_ticket(cell)
            cell.failed_mark.unlink(missing_ok=True)
        environment = {"OMP_NUM_THREADS": str(self.options.cpus)}
        tasks = [CellTask(list(self.command(cell, self.hang_minutes)), environment) for cell in cells]
        kind, parameters = self.options.executor, self.options.parameters(devices)
        requeues: dict[str, Any] = {f"{kind}_max_num_timeout": self.options.requeues}
        try:
            executor = self.submitit.AutoExecutor(folder=str(self.folder / LOGS), cluster=kind, **requeues)
            executor.update_parameters(**parameters)
            submitted = executor.submit_array(tasks)
        except (RuntimeError, OSError) as error:
            raise UserError(f"the jobs could not be submitted: {error}") from error
        self.jobs |= {cell.hash: job for cell, job in zip(cells, submitted, strict=True)}
        known = read_jobs(self.folder)
        known |= {cell.hash: Submitted(str(self.jobs[cell.hash].job_id), kind, time.time()) for cell in cells}
        write_jobs(self.folder, known)
        for cell in cells:
            self.say(f"submitted {cell.label} as job {self.jobs[cell.hash].job_id}")

    def leave(self, cells: Sequence[Cell]) -> Outcome:
        """Say how to look at the jobs, and how to go on when they have ended."""
        numbers = sorted({str(job.job_id).split("_")[0] for job in self.jobs.values()})
        if numbers:
            self.say(f"look: squeue --jobs={','.join(numbers)}; stop: scancel {' '.join(numbers)}")
            self.say(f"afterwards: the same command submits what failed, vjepa report {self.folder} writes the report")
        queued = [cell for cell in cells if cell.hash in self.jobs and not cell.is_done]
        pending = {cell.label: str(self.jobs[cell.hash].job_id) for cell in queued}
        return Outcome(tuple(cell.label for cell in cells if cell.is_done), {}, pending=pending)

    def follow(self, cells: Sequence[Cell], waiting: deque[Cell]) -> Outcome:
        """Until every job has ended, or a stop is asked for; jobs that were not submitted yet are, as there is room."""
        running = {cell.hash: cell for cell in cells if cell.hash in self.jobs}
        for cell in running.values():
            self.progress.started(cell)
        with stop_requests() as requests:
            while (waiting or running) and not requests:
                while waiting and len(running) < self.options.parallel:
                    cell = waiting.popleft()
                    self.submit([cell], cell.devices)
                    running[cell.hash] = cell
                    self.progress.started(cell)
                for cell in [cell for cell in running.values() if cell.is_done or self.jobs[cell.hash].done()]:
                    del running[cell.hash]
                    self._end(cell)
                self.progress.show()
                time.sleep(_POLL_SECONDS)
        self.progress.close()
        if running:
            self.say(f"the jobs go on without this command: {', '.join(str(self.jobs[key].job_id) for key in running)}")
        pending = {cell.label: str(self.jobs[cell.hash].job_id) for cell in running.values()}
        finished = tuple(cell.label for cell in cells if cell.is_done)
        return Outcome(finished, self.failed, interrupted=bool(requests), pending=pending)

    def _end(self, cell: Cell) -> None:
        if cell.is_done:
            self.progress.finished(cell)
            return
        job = self.jobs[cell.hash]
        reason = cell.failure
        if reason is None:
            reason = f"job {job.job_id} ended ({job.state}) without finishing it; see {job.paths.stderr}"
            write_failed(cell, reason)
        self.failed[cell.label] = reason
        self.progress.failed(cell, reason)


def _import_submitit() -> ModuleType:
    try:
        import submitit
    except ImportError as error:
        raise UserError(
            "--engine slurm needs submitit, which is not installed: pip install 'vjepa-ablation[slurm]' (or pip "
            "install submitit)"
        ) from error
    return submitit
