"""The local scheduler over real processes that fail in every way: the rest is finished, a restart does the missing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.ablation.cells import Cell
from experiments.ablation.scheduler import run_local
from experiments.ablation.scheduler_slots import Slot, cpu_slots, cuda_slots, environment_of, num_cores, visible_gpus
from tests.experiments.ablation.stand_in import (
    ROOT,
    is_alive,
    make_cells,
    pids,
    schedule,
    schedule_command,
    started,
    tell,
    wait_for,
)
from vjepa.errors import UserError


@pytest.fixture(autouse=True)
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-ins are modules of the checkout."""
    monkeypatch.chdir(ROOT)


def start(folder: Path, count: int, jobs: int) -> subprocess.Popen[str]:
    command = schedule_command(folder, count, jobs)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_failures_stop_nothing_and_a_restart_runs_what_is_missing(tmp_path: Path) -> None:
    cells = make_cells(tmp_path, 4)
    tell(cells[0], fit="crash")
    tell(cells[1], test="silent")
    tell(cells[2], fit="nan")
    said: list[str] = []
    outcome = schedule(cells, jobs=2, said=said)
    assert outcome.finished == ("fwm as_described seed 3",) and not outcome.interrupted
    assert set(outcome.failed) == {f"fwm as_described seed {seed}" for seed in range(3)}
    assert all(cell.failure == outcome.failed[cell.label] for cell in cells[:3])
    begun = [line.partition(", log in")[0] for line in said if line.startswith("started")]
    assert begun == [f"started {cell.label}" for cell in cells], "in the order of the plan"
    assert "3 failed" in said[-1] + said[-2]
    for cell in cells[:3]:
        tell(cell)
    outcome = schedule(cells, said=said)
    assert len(outcome.finished) == 4 and outcome.failed == {}
    assert [started(cell) for cell in cells] == [
        ["fit", "fit", "test"], ["fit", "test", "test"], ["fit", "fit", "test"], ["fit", "test"]
    ]  # fmt: skip
    assert schedule(cells, said=said).finished == outcome.finished and said[-1] == "4 of 4 cells were finished before"


def test_killed_cell_process_is_a_failure_with_a_reason(tmp_path: Path) -> None:
    cells = make_cells(tmp_path, 2)
    tell(cells[0], fit="wait")
    process = start(tmp_path, 2, 1)
    wait_for(lambda: started(cells[0]) == ["fit", "rank"], "the child")
    owner = subprocess.run(
        ["ps", "-o", "ppid=", "-p", str(pids(cells[0])[0])], capture_output=True, text=True, check=True
    )
    os.kill(int(owner.stdout), signal.SIGKILL)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert cells[0].failure == "vjepa cell was killed by SIGKILL: out of memory, or by somebody"
    assert f"failed {cells[0].label}: {cells[0].failure}" in said and cells[1].is_done
    assert not any(is_alive(pid) for pid in pids(cells[0]))


def test_killed_scheduler_leaves_no_orphans_and_goes_on(tmp_path: Path) -> None:
    cells = make_cells(tmp_path, 3)
    tell(cells[1], fit="wait")
    tell(cells[2], fit="wait")
    process = start(tmp_path, 3, 2)
    wait_for(lambda: cells[0].is_done and len(started(cells[1])) == 2 == len(started(cells[2])), "two at work")
    process.kill()
    process.communicate()
    # The next one does not wait until the killed ones are gone.
    again = start(tmp_path, 3, 2)
    wait_for(lambda: len(started(cells[1])) == 4 == len(started(cells[2])), "both again")
    for cell in cells[1:]:
        assert not any(is_alive(pid) for pid in pids(cell)[:2]) and all(is_alive(pid) for pid in pids(cell)[2:])
        (cell.folder / "go").touch()
    said, _ = again.communicate(timeout=120)
    assert again.returncode == 0, said
    assert "1 of 3 cells were finished before" in said and all(cell.is_done for cell in cells)
    assert started(cells[0]) == ["fit", "test"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_stopped_scheduler_lets_cells_keep_their_work(tmp_path: Path, signum: int) -> None:
    cells = make_cells(tmp_path, 2, fit="wait")
    process = start(tmp_path, 2, 1)
    wait_for(lambda: started(cells[0]) == ["fit", "rank"], "the child")
    process.send_signal(signum)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 75 and "stopping 1 running" in said
    assert (cells[0].folder / "checkpoint.txt").read_text() == "kept"
    assert cells[0].failure is None and started(cells[1]) == []
    assert not any(is_alive(pid) for pid in pids(cells[0]))


def test_second_signal_kills_what_does_not_stop(tmp_path: Path) -> None:
    (cell,) = make_cells(tmp_path, 1, fit="deaf")
    process = start(tmp_path, 1, 1)
    wait_for(lambda: started(cell) == ["fit", "rank"], "the child")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    wait_for(lambda: "stopping" in process.stdout.readline(), "the first answer")  # type: ignore[union-attr]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 75
    wait_for(lambda: not any(is_alive(pid) for pid in pids(cell)), "the end of the deaf")


def test_cell_that_cannot_be_started_stops_nothing(tmp_path: Path) -> None:
    cells = make_cells(tmp_path, 2)
    shutil.rmtree(cells[0].folder)
    cells[0].folder.touch()
    outcome = schedule(cells)
    assert outcome.finished == (cells[1].label,)
    assert "could not be started: cannot write" in outcome.failed[cells[0].label]


def test_cell_of_several_processes_takes_several_slots(tmp_path: Path) -> None:
    cells = make_cells(tmp_path, 3, fit="crash")
    cells = [replace(cell, devices=devices) for cell, devices in zip(cells, (1, 2, 1), strict=True)]
    said: list[str] = []
    schedule(cells, jobs=2, said=said)
    order = [line.split(" fwm")[0] for line in said]
    assert order == ["started", "failed"] * 3, "the second needs both slots, the third waits for its turn"


def test_slots_share_the_cores_and_name_the_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.ablation.scheduler_slots.num_cores", lambda: 6)
    assert cpu_slots(4) == [Slot(1)] * 4 and cpu_slots(2) == [Slot(3)] * 2
    slots = cuda_slots(["0", "3"])
    assert environment_of(slots, 2) == {"OMP_NUM_THREADS": "3", "CUDA_VISIBLE_DEVICES": "0,3"}
    assert environment_of(cpu_slots(1), 4) == {"OMP_NUM_THREADS": "1"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-5f")
    assert visible_gpus() == ["2", "GPU-5f"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []
    assert num_cores() >= 1


def test_bad_slots_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--jobs 0"):
        cpu_slots(0)
    with pytest.raises(UserError, match="no GPU is visible"):
        cuda_slots([])
    cell: Cell = replace(make_cells(tmp_path, 1)[0], devices=4)
    with pytest.raises(UserError, match="seed 0 needs 4 GPUs, but 2 are visible"):
        run_local([cell], cuda_slots(["0", "1"]))
