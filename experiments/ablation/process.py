"""One cell of an ablation: ``vjepa fit`` and then ``vjepa test`` as children, believed only by what they leave behind.

A cell that was stopped or killed goes on where it was, since both commands do.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from experiments.ablation.cells import Cell
from experiments.ablation.lock import FRESH_SECONDS, Lock, hold
from experiments.ablation.process_marks import missing_result, write_done, write_failed
from experiments.ablation.process_pulse import Pulse, read_pulse
from experiments.ablation.process_reason import reason_of
from experiments.ablation.process_signals import stop_requests
from experiments.ablation.process_stage import Ended, Watched, run_watched
from experiments.ablation.process_ticket import Ticket, read_ticket
from experiments.cli import DONE, FAILED, RESUMABLE
from vjepa.errors import UserError

HANG_MINUTES = 30.0
_PATIENCE = FRESH_SECONDS + 30
"""A job may start again on another node right after its node went down."""
Command = Callable[[str, Cell], Sequence[str]]
"""From a verb and a cell to the command line of a child."""


@dataclass(frozen=True)
class Stage:
    """A part of a cell.

    Args:
        name: in records.
        verb: of the command line.
        stop_signal: training answers SIGTERM with a checkpoint; an evaluation keeps its finished chunks wherever it is
            cut off, and answers SIGINT at once.
    """

    name: str
    verb: str
    stop_signal: int


FIT = Stage("fit", "fit", signal.SIGTERM)
EVALUATION = Stage("evaluation", "test", signal.SIGINT)


def vjepa_command(verb: str, cell: Cell) -> list[str]:
    """``vjepa fit`` or ``vjepa test`` of a cell."""
    words = [sys.executable, "-m", "vjepa", verb, "--config", str(cell.config)]
    return [*words, "--trainer.enable_progress_bar=false"]


def run_cell(folder: Path, command: Command = vjepa_command, hang_minutes: float = HANG_MINUTES) -> int:
    """Train and evaluate the cell in a folder, and mark it done.

    SIGTERM, SIGINT, SIGHUP and SIGUSR1 stop the child so that it can go on later.

    Args:
        folder: of the cell; ``cell.yaml`` and ``cell.json`` are there.
        command: what the children are; they leave the marks that ``vjepa fit`` and ``vjepa test`` leave.
        hang_minutes: a child that shows no sign of life for so long is killed; 0 waits for ever.

    Returns:
        0 done, 1 failed (``FAILED.json`` says why), 75 stopped.

    Raises:
        UserError: the folder holds no cell, another process trains its run, or something cannot be written.
    """
    ticket = read_ticket(folder)
    cell = ticket.cell
    if cell.is_done:
        print(f"finished before: {cell.label}")
        return DONE
    with stop_requests() as requests, hold(cell.run.folder, f"vjepa cell {folder}", _PATIENCE) as lock:
        if cell.is_done:  # by the holder that this one waited for
            return DONE
        cell.failed_mark.unlink(missing_ok=True)
        try:
            return _Attempt(ticket, command, hang_minutes * 60 or None, lock, requests).run()
        except UserError as error:  # a full disk, most of the time: a small file may still fit
            with suppress(UserError):
                write_failed(cell, str(error))
            raise


class _Stopped(Exception):
    """Somebody asked for it; the cell can go on later."""


class _Failed(Exception):
    """The message says why."""


@dataclass
class _Attempt:
    ticket: Ticket
    command: Command
    hang_seconds: float | None
    lock: Lock
    requests: list[int]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def cell(self) -> Cell:
        return self.ticket.cell

    def run(self) -> int:
        """See ``run_cell``."""
        before = read_pulse(self.cell.heartbeat)
        self.seconds = dict(before.seconds) if before is not None else {}
        evaluations = self.ticket.evaluations
        try:
            if not self.cell.run.is_done:
                self._finish(FIT, [])
            if evaluations:
                self._finish(EVALUATION, evaluations)
        except _Stopped:
            print(f"stopped: {self.cell.label}")
            return RESUMABLE
        except _Failed as failure:
            write_failed(self.cell, str(failure))
            print(f"error: {self.cell.label}: {failure}", file=sys.stderr)
            return FAILED
        write_done(self.cell, self.seconds, _peak_rss_bytes(), evaluations)
        print(f"finished: {self.cell.label}")
        return DONE

    def _finish(self, stage: Stage, evaluations: Sequence[Path]) -> None:
        """Run a stage and look at what it left."""
        if self.requests:
            raise _Stopped
        start = self.cell.log.stat().st_size if self.cell.log.exists() else 0
        ended = self._run_stage(stage)
        missing = missing_result(self.cell, evaluations)
        # An evaluation with other settings leaves the same marks; only its exit code tells that this one failed.
        if missing is None and (stage is FIT or ended.code == 0):
            return
        if ended.hung is not None:
            minutes = f"{ended.hung / 60:.1f} minutes"
            raise _Failed(
                f"vjepa {stage.verb}: no sign of life for {minutes}, killed; its stacks are in {self.cell.log}"
            )
        if self.requests or ended.code == RESUMABLE:
            raise _Stopped
        reason = reason_of(f"vjepa {stage.verb}", ended.code, self.cell.log, start)
        raise _Failed(f"{reason} ({missing})" if ended.code == 0 else reason)

    def _run_stage(self, stage: Stage) -> Ended:
        words = self.command(stage.verb, self.cell)
        _note(self.cell.log, f"{' '.join(words)}")
        num_steps = self.ticket.max_steps if stage is FIT else None
        work = Watched(
            command=words,
            environment=_environment(),
            stop_signal=stage.stop_signal,
            log=self.cell.log,
            heartbeat=self.cell.heartbeat,
            folder=self.cell.run.folder,
            pulse=Pulse(stage.name, num_steps=num_steps, seconds=self.seconds),
            lock=self.lock,
            hang_seconds=self.hang_seconds,
        )
        ended = run_watched(work, lambda: bool(self.requests))
        self.seconds = ended.pulse.seconds
        return ended


def _environment() -> dict[str, str]:
    """Of a child: its output arrives at once, and a crash or a hang shows a stack.

    Ranks of a run are started by the run itself, on SLURM too, where Lightning would expect them from srun.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_NTASKS")}
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1", "TQDM_MININTERVAL": "2"}


def _note(log: Path, text: str) -> None:
    """Append a line of this process to the log."""
    with open(log, "a") as file:
        file.write(f"== {datetime.now(UTC).isoformat(timespec='seconds')} {text}\n")


def _peak_rss_bytes() -> int:
    """Most memory that one of the children had."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(options: Sequence[str]) -> int:
    """``vjepa cell``."""
    parser = argparse.ArgumentParser("vjepa cell", description="Train and evaluate one cell of an ablation.")
    parser.add_argument("folder", type=Path, help="of the cell: .../cells/<variant>/<reading>/seed<k>-<hash8>")
    parser.add_argument(
        "--hang-minutes", type=float, default=HANG_MINUTES,
        help="kill a child that shows no sign of life for so long (%(default)s); 0 waits for ever",
    )  # fmt: skip
    known = parser.parse_args(list(options))
    check_hang_minutes(known.hang_minutes)
    return run_cell(known.folder, hang_minutes=known.hang_minutes)


def check_hang_minutes(minutes: float) -> None:
    """Refuse a negative limit.

    Raises:
        UserError: it is negative.
    """
    if minutes < 0:
        raise UserError(f"--hang-minutes {minutes}: expected minutes, or 0 to wait for ever")
