"""The plan as jobs: through submitit's executor on this machine, and through a cluster that is played by scripts."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.ablation.cells import Cell
from experiments.ablation.scheduler import Outcome
from experiments.ablation.slurm import LOGS, run_slurm
from experiments.ablation.slurm_jobs import read_jobs
from experiments.ablation.slurm_options import SlurmOptions, add_slurm_arguments, slurm_options
from tests.experiments.ablation.stand_in import ROOT, cell_command, is_alive, make_cells, pids, started, tell, wait_for
from vjepa.errors import UserError

pytest.importorskip("submitit", reason="the slurm extra is not installed")

# A cluster with one node that starts every job of an array at once.
SBATCH = """
import os, re, subprocess, sys
text = open(sys.argv[-1]).read()
open(os.environ["PLAYED"] + "/submitted.sh", "w").write(text)
found = re.search(r"--array=0-(\\d+)", text)
for place in [str(n) for n in range(int(found[1]) + 1)] if found else [None]:
    job = {"SLURM_JOB_ID": "77", "SLURM_NTASKS": "1", "SLURM_JOB_NAME": "vjepa-ablation", "SLURM_PROCID": "0"}
    if place is not None:
        job |= {"SLURM_ARRAY_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": place}
    subprocess.Popen(["bash", sys.argv[-1]], env=os.environ | job, start_new_session=True,
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print("Submitted batch job 77")
"""
SRUN = """
import os, sys
words = sys.argv[1:]
while words[0].startswith("--"):
    words = words[1:] if words[0] == "--unbuffered" else words[2:]
os.execvp(words[0], words)
"""
SACCT = """
import os
state = open(os.environ["PLAYED"] + "/state").read().strip()
print("JobID|State|NodeList")
for place in range(3):
    print(f"77_{place}|{state}|node1")
"""


@pytest.fixture(autouse=True)
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-ins are modules of the checkout."""
    monkeypatch.chdir(ROOT)


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Scripts in place of the programs of SLURM; ``state`` is what its accounting says of every job."""
    folder = tmp_path / "played"
    folder.mkdir()
    for name, code in (("sbatch", SBATCH), ("srun", SRUN), ("sacct", SACCT)):
        (folder / name).write_text(f"#!{sys.executable}\n{code}")
        (folder / name).chmod(0o755)
    (folder / "state").write_text("RUNNING")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("PLAYED", str(folder))
    return folder


def submit(cells: list[Cell], folder: Path, said: list[str] | None = None, **options: object) -> Outcome:
    say = print if said is None else said.append
    chosen = SlurmOptions(**{"gpus": 0, "cpus": 1, **options})  # type: ignore[arg-type]
    return run_slurm(cells, folder, chosen, say=say, command=cell_command)


def parent(pid: int) -> int:
    done = subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_jobs_finish_cells_and_a_restart_submits_what_failed(tmp_path: Path) -> None:
    cells = make_cells(tmp_path, 2)
    tell(cells[1], fit="crash")
    said: list[str] = []
    outcome = submit(cells, tmp_path, said, executor="local", parallel=2)
    assert outcome.finished == (cells[0].label,) and not outcome.pending
    assert outcome.failed == {cells[1].label: str(cells[1].failure)} and "expected 3 levels" in str(cells[1].failure)
    assert all(any(line.startswith(f"submitted {cell.label} as job ") for line in said) for cell in cells)
    assert list((tmp_path / LOGS).glob("*_log.out"))
    tell(cells[1])
    assert len(submit(cells, tmp_path, executor="local").finished) == 2
    assert [len(started(cell)) for cell in cells] == [2, 3]


def test_preempted_job_is_queued_again_and_goes_on(tmp_path: Path) -> None:
    """What a cluster does before it takes a node away: a signal to the job, which has a while to end."""
    (cell,) = make_cells(tmp_path, 1, fit="wait")
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from tests.experiments.ablation.stand_in import cell_command, make_cells_again\n"
        "from experiments.ablation.slurm import run_slurm\n"
        "from experiments.ablation.slurm_options import SlurmOptions\n"
        "folder = Path(sys.argv[1])\n"
        "options = SlurmOptions(gpus=0, cpus=1, executor='local')\n"
        "outcome = run_slurm(make_cells_again(folder, 1), folder, options, command=cell_command)\n"
        "sys.exit(0 if len(outcome.finished) == 1 else 1)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.DEVNULL)
    wait_for(lambda: started(cell) == ["fit", "rank"], "the job")
    job = parent(parent(pids(cell)[0]))
    os.kill(job, signal.SIGUSR2)
    wait_for(lambda: len(started(cell)) == 4, "the second job")
    assert (cell.folder / "checkpoint.txt").read_text() == "kept" and cell.failure is None
    assert not any(is_alive(pid) for pid in pids(cell)[:2]) and not is_alive(job)
    (cell.folder / "go").touch()
    assert process.wait(120) == 0 and cell.is_done


def test_cluster_gets_one_array_and_is_not_asked_twice(tmp_path: Path, played: Path) -> None:
    cells = make_cells(tmp_path, 3, fit="wait")
    said: list[str] = []
    options = {"partition": "gpu", "gpus": 1, "cpus": 6, "hours": 1.5, "memory": 20, "parallel": 2}
    outcome = submit(cells, tmp_path, said, settings=("account=vision",), **options)
    assert outcome.pending == {cell.label: f"77_{place}" for place, cell in enumerate(cells)} and not outcome.finished
    script = (played / "submitted.sh").read_text()
    for line in ("array=0-2%2", "partition=gpu", "gpus-per-node=1", "cpus-per-task=6", "time=90", "mem=20GB"):
        assert f"#SBATCH --{line}\n" in script
    assert "#SBATCH --account=vision" in script and "#SBATCH --signal=USR2@120" in script
    assert "look: squeue --jobs=77; stop: scancel 77" in said and "vjepa report" in said[-1]
    assert {job.job for job in read_jobs(tmp_path).values()} == {"77_0", "77_1", "77_2"}
    wait_for(lambda: all(len(started(cell)) == 2 for cell in cells), "the jobs")
    (played / "submitted.sh").unlink()
    said.clear()
    assert submit(cells, tmp_path, said, **options).pending == outcome.pending
    assert "3 cells are at work or queued already" in said[0] and not (played / "submitted.sh").exists()
    for cell in cells:
        (cell.folder / "go").touch()
    wait_for(lambda: all(cell.is_done for cell in cells), "the jobs")
    assert "6 threads" in cells[0].log.read_text()
    assert len(submit(cells, tmp_path, said, wait=True, **options).finished) == 3


def test_job_that_vanishes_is_a_failure_with_its_state(tmp_path: Path, played: Path) -> None:
    (cell,) = make_cells(tmp_path, 1)
    (played / "srun").write_text("#!/bin/sh\nexit 1\n")
    (played / "state").write_text("NODE_FAIL")
    (played / "sacct").write_text((played / "sacct").read_text().replace("77_{place}", "77"))
    outcome = submit([cell], tmp_path, wait=True)
    assert "job 77 ended (NODE_FAIL) without finishing it; see " in outcome.failed[cell.label]
    assert cell.failure == outcome.failed[cell.label]


def test_bad_input_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = make_cells(tmp_path, 1)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UserError, match=r"could not be submitted: .*srun"):
        submit(cells, tmp_path)
    many = Cell(**{**vars(cells[0]), "settings": {"trainer": {"num_nodes": 2}}})
    with pytest.raises(UserError, match="seed 0 needs several nodes"):
        submit([many], tmp_path)
    for options, message in (({"cpus": 0}, "--cpus 0"), ({"hours": 0.0}, "--hours 0"), ({"settings": ("x",)}, "NAME=")):
        with pytest.raises(UserError, match=message):
            SlurmOptions(**options)  # type: ignore[arg-type]
    parser = argparse.ArgumentParser()
    add_slurm_arguments(parser)
    assert slurm_options(parser.parse_args([])) == SlurmOptions()
    assert slurm_options(parser.parse_args(["--sbatch", "qos=low", "--wait"])) == SlurmOptions(
        settings=("qos=low",), wait=True
    )
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UserError, match=r"needs submitit.*pip install 'vjepa-ablation\[slurm\]'"):
        submit(cells, tmp_path)
