"""Live progress of an ablation: one block that is drawn again on a terminal, one line a change in a log."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from experiments.ablation.cells import Cell
from experiments.ablation.process_pulse import read_pulse
from experiments.ablation.progress_eta import duration, learn_pace, seconds_left, seconds_taken

_DRAW_SECONDS = 2.0


class Progress:
    """Counts, running cells, time so far and time left.

    Args:
        cells: of the plan, in order.
        num_slots: cells that run at the same time.
        say: called with each line that stays.
        stream: where the block is drawn, if it is a terminal; None is the standard output.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        num_slots: int,
        say: Callable[[str], None] = print,
        stream: TextIO | None = None,
    ) -> None:
        self._cells, self._num_slots, self._say, self._stream = tuple(cells), num_slots, say, stream or sys.stdout
        self._running: list[Cell] = []
        self._done = {cell.label for cell in cells if cell.is_done}
        self._failed: set[str] = set()
        self._began, self._drawn_at, self._num_drawn = time.monotonic(), 0.0, 0
        self._pace = learn_pace(cells)
        if self._done:
            self.say(f"{len(self._done)} of {len(cells)} cells were finished before")

    def started(self, cell: Cell) -> None:
        """A cell began, or goes on."""
        self._running.append(cell)
        self.say(f"started {cell.label}, log in {cell.log}; {self.summary()}")

    def finished(self, cell: Cell) -> None:
        """A cell is finished."""
        self._running.remove(cell)
        self._done.add(cell.label)
        self._pace = learn_pace(self._cells)
        took = duration(sum((seconds_taken(cell) or {}).values()))
        self.say(f"finished {cell.label} in {took}; {self.summary()}")

    def failed(self, cell: Cell, reason: str) -> None:
        """A cell failed, running or about to."""
        if cell in self._running:
            self._running.remove(cell)
        self._failed.add(cell.label)
        self.say(f"failed {cell.label}: {reason}; {self.summary()}")

    def say(self, line: str) -> None:
        """Say a line that stays, above the block."""
        self._erase()
        self._say(line)
        if self._stream.isatty():
            self._draw()

    def show(self) -> None:
        """Draw the block again if it is time to; call it often."""
        if self._stream.isatty() and time.monotonic() - self._drawn_at >= _DRAW_SECONDS:
            self._erase()
            self._draw()

    def close(self) -> None:
        """Take the block away."""
        self._erase()

    def summary(self) -> str:
        """Counts and times in one line."""
        counts = [f"{len(self._done)} of {len(self._cells)} done", f"{len(self._running)} running"]
        counts += [f"{len(self._failed)} failed"] if self._failed else []
        return f"{', '.join(counts)}, {duration(time.monotonic() - self._began)} so far, {self._time_left()}"

    def _time_left(self) -> str:
        begun = {cell.label for cell in self._running} | self._done | self._failed
        waiting = [cell for cell in self._cells if cell.label not in begun]
        left = seconds_left(waiting, self._running, self._pace, self._num_slots)
        return "time left not known yet" if left is None else f"about {duration(left)} left"

    def _draw(self) -> None:
        width = shutil.get_terminal_size().columns - 1
        lines = [self.summary()]
        for cell in self._running:
            pulse = read_pulse(cell.heartbeat)
            lines.append(f"  {cell.label}: {pulse or 'starting'}")
        self._stream.write("".join(f"{line[:width]}\n" for line in lines))
        self._stream.flush()
        self._num_drawn, self._drawn_at = len(lines), time.monotonic()

    def _erase(self) -> None:
        if self._num_drawn:
            self._stream.write(f"\x1b[{self._num_drawn}F\x1b[J")
            self._num_drawn = 0
