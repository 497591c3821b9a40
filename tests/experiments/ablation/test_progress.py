"""Progress: what is left, and what is drawn on a terminal and written to a log."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.ablation.cells import Cell, Cost
from experiments.ablation.process_marks import write_failed
from experiments.ablation.process_pulse import Pulse
from experiments.ablation.progress import Progress
from experiments.ablation.progress_eta import Pace, duration, learn_pace, left_of, seconds_left
from experiments.ablation.state import state_of
from tests.experiments.ablation.stand_in import make_cells


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def finish(cell: Cell, fit: float, evaluation: float) -> None:
    seconds = {"fit": fit, "evaluation": evaluation}
    cell.done_mark.write_text(json.dumps({"hash": cell.hash, "seconds": seconds}))


@pytest.fixture
def cells(tmp_path: Path) -> list[Cell]:
    """Six cells that were expected to take 100 s and 40 s."""
    return [replace(cell, cost=Cost(100.0, 40.0)) for cell in make_cells(tmp_path, 6)]


def test_finished_cells_correct_what_was_expected(cells: list[Cell]) -> None:
    assert learn_pace(cells) == Pace({}, {})
    finish(cells[0], 150, 20)
    finish(cells[1], 250, 20)
    finish(cells[2], 0, 20)  # its training run was there before
    pace = learn_pace(cells)
    assert pace.ratio == {"fit": 2.0, "evaluation": 0.5}
    assert pace.seconds(cells[3], "fit") == 200 and pace.seconds(cells[3], "evaluation") == 20
    unknown = replace(cells[3], cost=None)
    assert pace.seconds(unknown, "fit") == 200 and Pace({}, {}).seconds(unknown, "fit") is None


def test_time_left_follows_the_queue(cells: list[Cell]) -> None:
    pace = Pace({}, {})
    assert seconds_left(cells, [], pace, 1) == 6 * 140
    assert seconds_left(cells[:5], [], pace, 2) == 3 * 140
    wide = replace(cells[1], devices=2)
    assert seconds_left([cells[0], wide, cells[2]], [], pace, 2) == 3 * 140
    assert seconds_left([replace(cells[0], cost=None)], [], pace, 2) is None
    assert seconds_left([], [], pace, 2) == 0


def test_running_cell_is_judged_by_its_own_speed(cells: list[Cell]) -> None:
    pace = Pace({}, {})
    assert left_of(cells[0], None, pace) == 140
    assert left_of(cells[0], Pulse("fit", 0, 20, seconds={"fit": 30.0}), pace) == 70 + 40
    assert left_of(cells[0], Pulse("fit", 5, 20, seconds={"fit": 60.0}), pace) == 180 + 40
    assert left_of(cells[0], Pulse("evaluation", seconds={"fit": 100.0, "evaluation": 10.0}), pace) == 30
    assert left_of(cells[0], Pulse("evaluation", seconds={"fit": 100.0, "evaluation": 99.0}), pace) == 0
    assert left_of(replace(cells[0], cost=None), Pulse("fit", 5, 20, seconds={"fit": 60.0}), pace) is None


def test_log_gets_one_line_a_change(cells: list[Cell]) -> None:
    said: list[str] = []
    progress = Progress(cells, 1, said.append, io.StringIO())
    progress.started(cells[0])
    progress.show()
    finish(cells[0], 50, 20)
    progress.finished(cells[0])
    progress.started(cells[1])
    progress.failed(cells[1], "vjepa fit ended with code 1: no")
    progress.close()
    assert len(said) == 4
    assert said[0].startswith("started fwm as_described seed 0, log in ") and said[0].endswith(
        "0 of 6 done, 1 running, 0 s so far, about 14 min left"
    )
    assert said[1] == "finished fwm as_described seed 0 in 70 s; 1 of 6 done, 0 running, 0 s so far, about 6 min left"
    assert said[3] == (
        "failed fwm as_described seed 1: vjepa fit ended with code 1: no; "
        "1 of 6 done, 0 running, 1 failed, 0 s so far, about 5 min left"
    )


def test_terminal_has_one_block_that_is_drawn_again(cells: list[Cell], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.ablation.progress._DRAW_SECONDS", 0.0)
    monkeypatch.setenv("COLUMNS", "60")
    terminal = Terminal()
    progress = Progress(cells, 1, lambda line: terminal.write(line + "\n") and None, terminal)
    progress.started(cells[0])
    Pulse("fit", 7, 20).write(cells[0].heartbeat)
    terminal.seek(0), terminal.truncate()
    progress.show()
    block = terminal.getvalue()
    assert block.startswith("\x1b[2F\x1b[J0 of 6 done, 1 running")
    assert block.endswith("\n  fwm as_described seed 0: fit, step 7 of 20\n")
    assert all(len(line) < 70 for line in block.splitlines())
    progress.close()
    assert terminal.getvalue() == block + "\x1b[2F\x1b[J"


def test_the_disk_tells_the_state_of_every_cell(cells: list[Cell]) -> None:
    write_failed(cells[1], "vjepa fit ran out of memory")
    Pulse("fit", 7, 20).write(cells[2].heartbeat)
    Pulse("evaluation", doing="features 45 %").write(cells[3].heartbeat)
    old = cells[3].heartbeat.stat().st_mtime - 600
    os.utime(cells[3].heartbeat, (old, old))
    assert [str(state_of(cell)) for cell in cells[1:5]] == [
        "failed: vjepa fit ran out of memory",
        "running: fit, step 7 of 20",
        "missing",
        "missing",
    ]
    cells[3].run.last_checkpoint.parent.mkdir(parents=True)
    cells[3].run.last_checkpoint.touch()
    assert str(state_of(cells[3])) == "begun: evaluation, features 45 %; last sign of life 10 min ago"


def test_durations_are_readable() -> None:
    assert [duration(seconds) for seconds in (0, 89, 90, 3600, 5399, 11100)] == [
        "0 s", "89 s", "2 min", "60 min", "1 h 30 min", "3 h 05 min"
    ]  # fmt: skip
