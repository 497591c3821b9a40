"""The local scheduler: cells in the order of the plan, each in a process of its own, none of which can stop another."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from experiments.ablation.cells import Cell
from experiments.ablation.process import HANG_MINUTES
from experiments.ablation.process_group import ProcessGroup
from experiments.ablation.process_marks import write_failed
from experiments.ablation.process_reason import reason_of
from experiments.ablation.process_signals import stop_requests
from experiments.ablation.process_ticket import write_ticket
from experiments.ablation.progress import Progress
from experiments.ablation.scheduler_slots import Slot, environment_of, slots_needed
from experiments.cli import RESUMABLE
from vjepa.errors import UserError

STOP_SECONDS = 30.0
"""Cells that were asked to stop get so long."""
_POLL_SECONDS = 0.2
CellCommand = Callable[[Cell, float], Sequence[str]]
"""From a cell and its hang limit in minutes to the command line of its process."""


@dataclass(frozen=True)
class Outcome:
    """How a schedule ended.

    Args:
        finished: labels of cells whose ``DONE.json`` is there.
        failed: reasons by label.
        interrupted: whether it was asked to stop; cells in neither list are still to be done.
        pending: what is known of cells that others still work at, by label.
    """

    finished: tuple[str, ...]
    failed: Mapping[str, str]
    interrupted: bool = False
    pending: Mapping[str, str] = field(default_factory=dict)


def cell_command(cell: Cell, hang_minutes: float) -> list[str]:
    """``vjepa cell`` of a cell."""
    words = [sys.executable, "-m", "vjepa", "cell", str(cell.folder)]
    return [*words, f"--hang-minutes={hang_minutes:g}"]


def run_local(
    cells: Sequence[Cell],
    slots: Sequence[Slot],
    *,
    say: Callable[[str], None] = print,
    hang_minutes: float = HANG_MINUTES,
    command: CellCommand = cell_command,
) -> Outcome:
    """Run every cell that is not finished, as many at the same time as there is room for.

    Whatever happens to a cell, the others go on. SIGINT, SIGTERM, SIGHUP and SIGUSR1 stop all of them so that the same
    call goes on later; a second one kills them. If this process is killed, they die with it.

    Args:
        cells: in the order in which they start; their configurations are on disk.
        slots: see ``cpu_slots`` and ``cuda_slots``; a cell of several processes takes several.
        say: called with a line at every change.
        hang_minutes: see ``run_cell``.
        command: of the process of a cell.

    Returns:
        How every cell ended; a cell is finished by its ``DONE.json`` alone.

    Raises:
        UserError: a cell needs more GPUs than there are; nothing has been started.
    """
    for cell in cells:
        slots_needed(cell.devices, slots, cell.label)
    progress = Progress(cells, len(slots), say)
    with stop_requests() as requests:
        schedule = _Schedule(list(slots), progress, hang_minutes, command)
        schedule.run(deque(cell for cell in cells if not cell.is_done), requests)
    progress.close()
    finished = tuple(cell.label for cell in cells if cell.is_done)
    return Outcome(finished, schedule.failed, bool(requests))


@dataclass(frozen=True)
class _Running:
    cell: Cell
    slots: tuple[Slot, ...]
    group: ProcessGroup
    log_start: int


@dataclass
class _Schedule:
    free: list[Slot]
    progress: Progress
    hang_minutes: float
    command: CellCommand
    running: list[_Running] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.all_slots = tuple(self.free)

    def run(self, waiting: deque[Cell], requests: Sequence[int]) -> None:
        """Until nothing waits and nothing runs, or a stop is asked for."""
        try:
            while (waiting or self.running) and not requests:
                self._start_what_fits(waiting)
                self._collect()
                self.progress.show()
                time.sleep(_POLL_SECONDS)
            if requests:
                self._stop(requests)
        finally:
            for one in self.running:
                one.group.close()

    def _start_what_fits(self, waiting: deque[Cell]) -> None:
        # The first one waits until there is room for it, so that seeds are completed in order.
        while waiting:
            cell = waiting[0]
            needed = slots_needed(cell.devices, self.all_slots, cell.label)
            if needed > len(self.free):
                return
            taken, self.free = tuple(self.free[:needed]), self.free[needed:]
            try:
                self._start(waiting.popleft(), taken)
            except (UserError, OSError) as error:
                self.free += taken
                self._fail(cell, f"could not be started: {error}")

    def _start(self, cell: Cell, taken: tuple[Slot, ...]) -> None:
        write_ticket(cell)
        cell.failed_mark.unlink(missing_ok=True)
        environment = os.environ | environment_of(taken, cell.devices)
        with open(cell.log, "ab") as log:
            start = log.tell()  # of this attempt; the child moves it on
            group = ProcessGroup(self.command(cell, self.hang_minutes), stdout=log, environment=environment)
        self.running.append(_Running(cell, taken, group, start))
        self.progress.started(cell)

    def _collect(self) -> None:
        for one in [one for one in self.running if one.group.poll() is not None]:
            code = one.group.poll()
            one.group.close()
            self.running.remove(one)
            self.free += one.slots
            if one.cell.is_done:
                self.progress.finished(one.cell)
            elif code == RESUMABLE:
                self._fail(one.cell, "was stopped; the same command continues it")
            elif one.cell.failure is not None:
                self._fail(one.cell, one.cell.failure)
            else:
                self._fail(one.cell, reason_of("vjepa cell", code or 0, one.cell.log, one.log_start))

    def _fail(self, cell: Cell, reason: str) -> None:
        self.failed[cell.label] = reason
        self.progress.failed(cell, reason)
        if cell.failure is None:
            try:
                write_failed(cell, reason)
            except UserError as error:  # a full disk must not stop the other cells
                self.progress.say(f"  {error}")

    def _stop(self, requests: Sequence[int]) -> None:
        asked = len(requests)
        self.progress.say(f"stopping {len(self.running)} running; they keep what they have; once more kills them")
        for one in self.running:
            one.group.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline and len(requests) == asked:
            if all(one.group.poll() is not None for one in self.running):
                break
            time.sleep(_POLL_SECONDS)
        for one in self.running:
            if one.cell.is_done:
                self.progress.finished(one.cell)
