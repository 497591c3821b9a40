"""Stands for ``vjepa fit`` and ``vjepa test``: real processes that leave the same marks and misbehave as told.

A cell's folder holds ``behaviour.json``, from a verb to a word below; ``started.txt`` gets a line for each child.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments.ablation.cells import Cell
from experiments.ablation.process import run_cell
from experiments.ablation.process_ticket import read_ticket, write_ticket
from experiments.ablation.scheduler import Outcome, run_local
from experiments.ablation.scheduler_slots import cpu_slots
from experiments.runs import Run
from vjepa.storage import atomic_write_text, digest_file

ROOT = Path(__file__).parents[3]
MODULE = "tests.experiments.ablation.stand_in"
WAIT_SECONDS = 120.0


def make_cells(folder: Path, count: int, **behaviour: str) -> list[Cell]:
    """Cells of one variant, seed by seed, that all behave alike."""
    cells = []
    for seed in range(count):
        name = f"seed{seed}-{seed:08x}"
        run = Run(folder / "runs" / "glyphs" / "fwm" / "as_described" / name, f"{seed:032x}")
        settings = {"trainer": {"max_steps": 20}, "probe": {"enabled": True, "benchmarks": None}}
        cell = Cell("fwm", "as_described", seed, run, folder / "cells" / "fwm" / "as_described" / name, f"{seed:08x}")
        cells.append(Cell(**{**vars(cell), "settings": settings}))
        tell(cells[-1], **behaviour)
        write_ticket(cells[-1])
    return cells


def tell(cell: Cell, **behaviour: str) -> None:
    """Say how the children of a cell behave from now on; what is not said goes well."""
    atomic_write_text(cell.folder / "behaviour.json", json.dumps(behaviour))


def started(cell: Cell) -> list[str]:
    """Verbs of the children that were started so far."""
    path = cell.folder / "started.txt"
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def pids(cell: Cell) -> list[int]:
    """Process numbers of the children that were started so far."""
    return [int(line.split()[1]) for line in (cell.folder / "started.txt").read_text().splitlines()]


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until something holds; loaded machines get their time."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has collected yet does not."""
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip() not in ("",) and not done.stdout.strip().startswith("Z")


def child_command(verb: str, cell: Cell) -> list[str]:
    """Of a stand-in for ``vjepa VERB``."""
    return [sys.executable, "-m", MODULE, "child", verb, str(cell.folder)]


def cell_command(cell: Cell, hang_minutes: float) -> list[str]:
    """Of the process of a cell whose children are stand-ins."""
    return [sys.executable, "-m", MODULE, "cell", str(cell.folder), str(hang_minutes)]


def schedule_command(folder: Path, count: int, jobs: int) -> list[str]:
    """Of a scheduler over such cells."""
    return [sys.executable, "-m", MODULE, "schedule", str(folder), str(count), str(jobs)]


def schedule(cells: Sequence[Cell], jobs: int = 1, said: list[str] | None = None, hang_minutes: float = 30) -> Outcome:
    """Run cells whose children are stand-ins."""
    say = print if said is None else said.append
    return run_local(cells, cpu_slots(jobs), say=say, hang_minutes=hang_minutes, command=cell_command)


def _child(verb: str, folder: Path) -> int:
    """Behave."""
    ticket = read_ticket(folder)
    run = ticket.cell.run
    word = json.loads((folder / "behaviour.json").read_text()).get(verb, "well")
    with open(folder / "started.txt", "a") as file:
        file.write(f"{verb} {os.getpid()}\n")
    print(f"{verb} of {ticket.cell.label} on {os.environ.get('OMP_NUM_THREADS')} threads", flush=True)
    if word == "crash":
        print("error: ValueError: expected 3 levels, got 4", file=sys.stderr)
        return 1
    if word == "nan":
        print("error: the loss is not finite at step 7: nan", file=sys.stderr)
        return 1
    if word == "memory":
        raise MemoryError("Unable to allocate 40 GiB")
    if word == "silent":
        return 0
    if word == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "flood":
        while True:
            print("x" * 999, flush=True)
    if word == "hang":
        while True:
            time.sleep(60)
    if word == "deaf":
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, signal.SIG_IGN)
    if word in ("wait", "deaf", "quiet"):
        _wait_for_go(folder, talks=word != "quiet")
    if verb == "fit":
        run.mark_done(step=20)
    else:
        for evaluation in ticket.evaluations:
            atomic_write_text(evaluation / "results.jsonl", json.dumps({"git_revision": "cafe"}) + "\n")
            digest = digest_file(evaluation / "results.jsonl")
            atomic_write_text(evaluation / "EVALUATED.json", json.dumps({"key": "k", "results.jsonl": digest}))
    return 1 if word == "late" else 0


def _wait_for_go(folder: Path, talks: bool) -> None:
    """Show signs of life until there is a file ``go``; keep a checkpoint when asked to stop."""

    def stop(*_: object) -> None:
        (folder / "checkpoint.txt").write_text("kept")
        os._exit(75)

    if signal.getsignal(signal.SIGTERM) != signal.SIG_IGN:
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
    # A rank of the run, which has to go when the run goes.
    rank = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(1000)"])
    with open(folder / "started.txt", "a") as file:
        file.write(f"rank {rank.pid}\n")
    deadline = time.monotonic() + 2 * WAIT_SECONDS  # whatever becomes of the test
    while not (folder / "go").exists() and time.monotonic() < deadline:
        if talks:
            print("at work", flush=True)
        time.sleep(0.05)
    rank.kill()
    rank.wait()


def main(words: Sequence[str]) -> int:
    """Be a child, a cell or a scheduler."""
    if words[0] == "child":
        return _child(words[1], Path(words[2]))
    if words[0] == "cell":
        return run_cell(Path(words[1]), child_command, float(words[2]))
    cells = make_cells_again(Path(words[1]), int(words[2]))
    outcome = schedule(cells, int(words[3]))
    return 75 if outcome.interrupted else int(bool(outcome.failed))


def make_cells_again(folder: Path, count: int) -> list[Cell]:
    """The same cells, told nothing new."""
    behaviours = [path.read_text() for path in sorted(folder.rglob("behaviour.json"))]
    cells = make_cells(folder, count)
    for cell, behaviour in zip(cells, behaviours, strict=True):
        (cell.folder / "behaviour.json").write_text(behaviour)
    return cells


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
