"""One cell: real children that crash, hang, are killed, or claim to be finished."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from torch.utils.tensorboard import SummaryWriter

from experiments.ablation.cells import Cell
from experiments.ablation.lock import hold
from experiments.ablation.process import run_cell
from experiments.ablation.process_events import EventSteps
from experiments.ablation.process_log import LogFilter
from experiments.ablation.process_pulse import read_pulse
from experiments.ablation.process_reason import reason_of
from experiments.ablation.process_ticket import read_ticket, write_ticket
from experiments.cli import main
from experiments.overlays import BASE, CONFIGS
from experiments.results import read_rows
from experiments.training.resolve import resolve_run, resolve_settings
from tests.experiments.ablation.stand_in import (
    ROOT,
    cell_command,
    child_command,
    is_alive,
    make_cells,
    pids,
    started,
    tell,
    wait_for,
)


@pytest.fixture(autouse=True)
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-ins are modules of the checkout."""
    monkeypatch.chdir(ROOT)


def start(cell: Cell, hang_minutes: float = 30) -> subprocess.Popen[bytes]:
    return subprocess.Popen(cell_command(cell, hang_minutes), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run(cell: Cell, hang_minutes: float = 30) -> int:
    return run_cell(cell.folder, child_command, hang_minutes)


def test_finished_cell_says_what_it_took_and_is_not_run_again(tmp_path: Path) -> None:
    (cell,) = make_cells(tmp_path, 1)
    assert run(cell) == 0
    assert started(cell) == ["fit", "test"]
    done = json.loads(cell.done_mark.read_text())
    assert done["hash"] == cell.hash and done["config_hash"] == cell.run.config_hash
    assert done["git_revision"] == "cafe", "of the code that made the numbers"
    assert set(done["seconds"]) == {"fit", "evaluation"}
    assert done["peak_rss_bytes"] > 1e6, "of the largest child of this process"
    assert "fit of fwm as_described seed 0" in cell.log.read_text()
    assert run(cell) == 0
    assert started(cell) == ["fit", "test"]


@pytest.mark.parametrize(
    ("verb", "word", "reason"),
    [
        ("fit", "crash", "vjepa fit ended with code 1: ValueError: expected 3 levels, got 4"),
        ("fit", "nan", "the loss is not finite at step 7: nan"),
        ("fit", "memory", "vjepa fit ran out of memory: MemoryError: Unable to allocate 40 GiB"),
        ("fit", "silent", "vjepa fit ended without its result, as if all were well"),
        ("fit", "segfault", "vjepa fit was killed by SIGSEGV"),
        ("test", "silent", "no valid EVALUATED.json in"),
    ],
)
def test_failure_is_told(tmp_path: Path, verb: str, word: str, reason: str) -> None:
    (cell,) = make_cells(tmp_path, 1, **{verb: word})
    assert run(cell) == 1
    assert cell.failure is not None and reason in cell.failure and "\n" not in cell.failure
    assert not cell.is_done


@pytest.mark.parametrize("verb", ["fit", "test"])
def test_failed_cell_is_tried_again_from_where_it_was(tmp_path: Path, verb: str) -> None:
    (cell,) = make_cells(tmp_path, 1, **{verb: "crash"})
    assert run(cell) == 1 and cell.failure is not None
    tell(cell)
    assert run(cell) == 0
    assert cell.failure is None and cell.is_done
    assert started(cell) == (["fit", "fit", "test"] if verb == "fit" else ["fit", "test", "test"])


def test_finished_run_counts_whatever_its_exit_code(tmp_path: Path) -> None:
    (cell,) = make_cells(tmp_path, 1, fit="late")
    assert run(cell) == 0 and cell.is_done


def test_evaluation_of_other_settings_does_not_count_if_the_command_failed(tmp_path: Path) -> None:
    (cell,) = make_cells(tmp_path, 1)
    assert run(cell) == 0
    cell.done_mark.unlink()
    tell(cell, test="crash")
    assert run(cell) == 1 and not cell.is_done


def test_damaged_results_are_not_believed(tmp_path: Path) -> None:
    (cell,) = make_cells(tmp_path, 1)
    assert run(cell) == 0
    cell.done_mark.unlink()
    tell(cell, test="silent")
    (cell.run.folder / "evaluation" / "glyphs" / "results.jsonl").write_text("{}\n")
    assert run(cell) == 1
    assert "results.jsonl is not what EVALUATED.json vouches for" in str(cell.failure)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signal_lets_the_child_keep_its_work(tmp_path: Path, signum: int) -> None:
    (cell,) = make_cells(tmp_path, 1, fit="wait")
    process = start(cell)
    wait_for(lambda: started(cell) == ["fit", "rank"], "the child")
    process.send_signal(signum)
    assert process.wait(60) == 75
    assert (cell.folder / "checkpoint.txt").read_text() == "kept"
    assert cell.failure is None and not cell.is_done
    assert not any(is_alive(pid) for pid in pids(cell))


def test_killed_cell_takes_its_children_along_and_goes_on(tmp_path: Path) -> None:
    (cell,) = make_cells(tmp_path, 1, fit="wait")
    process = start(cell)
    wait_for(lambda: started(cell) == ["fit", "rank"], "the child")
    process.kill()
    again = start(cell)
    wait_for(lambda: len(started(cell)) == 4, "the second start")
    before, after = pids(cell)[:2], pids(cell)[2:]
    assert not any(is_alive(pid) for pid in before) and all(is_alive(pid) for pid in after)
    (cell.folder / "go").touch()
    assert again.wait(60) == 0
    process.wait()
    assert cell.is_done and not any(is_alive(pid) for pid in after)


def test_orphan_that_lives_on_is_waited_for(tmp_path: Path) -> None:
    """With its guard killed too, a child outlives its cell; it keeps the lock, and nobody trains beside it."""
    (cell,) = make_cells(tmp_path, 1, fit="quiet")
    process = start(cell)
    wait_for(lambda: started(cell) == ["fit", "rank"], "the child")
    os.kill(os.getpgid(pids(cell)[0]), signal.SIGKILL)
    process.kill()
    process.wait()
    again = start(cell)
    time.sleep(1.0)
    assert is_alive(pids(cell)[0]) and started(cell) == ["fit", "rank"] and again.poll() is None
    (cell.folder / "go").touch()
    assert again.wait(60) == 0
    assert started(cell) == ["fit", "rank", "test"]


def test_killed_child_is_a_failure(tmp_path: Path) -> None:
    (cell,) = make_cells(tmp_path, 1, fit="wait")
    process = start(cell)
    wait_for(lambda: started(cell) == ["fit", "rank"], "the child")
    os.kill(pids(cell)[0], signal.SIGKILL)
    assert process.wait(60) == 1
    assert cell.failure == "vjepa fit was killed by SIGKILL: out of memory, or by somebody"
    assert not is_alive(pids(cell)[1]), "its rank goes with it"


def test_hanging_child_is_killed_and_shows_where_it_hung(tmp_path: Path) -> None:
    (cell,) = make_cells(tmp_path, 1, fit="hang")
    assert run(cell, hang_minutes=0.05) == 1
    assert "no sign of life for 0.1 minutes" in str(cell.failure)
    assert "stand_in.py" in cell.log.read_text().partition("Fatal Python error: Aborted")[2]


def test_child_that_prints_keeps_the_heart_beating(tmp_path: Path) -> None:
    (cell,) = make_cells(tmp_path, 1, fit="wait")
    process = start(cell)
    wait_for(lambda: started(cell) == ["fit", "rank"], "the child")
    for _ in range(2):
        before = cell.heartbeat.stat().st_mtime_ns
        wait_for(lambda before=before: cell.heartbeat.stat().st_mtime_ns > before, "a beat")
    (cell.folder / "go").touch()
    assert process.wait(60) == 0


def test_full_disk_is_the_reason(tmp_path: Path) -> None:
    (cell,) = make_cells(tmp_path, 1, fit="flood")
    code = (
        "import os, resource, signal\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        f"os.execv({sys.executable!r}, {cell_command(cell, 30)!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert cell.failure is not None and "log.txt: the file size limit is reached; free space" in cell.failure
    assert not is_alive(pids(cell)[0])


def test_two_processes_never_train_one_run(tmp_path: Path) -> None:
    (cell,) = make_cells(tmp_path, 1)
    with hold(cell.run.folder, "another cell"):
        done = subprocess.run(
            [sys.executable, "-m", "vjepa", "cell", str(cell.folder)], capture_output=True, text=True, check=False
        )
    assert done.returncode == 2 and started(cell) == []
    assert "is in use by another cell" in done.stderr and f"process {os.getpid()}" in done.stderr


def test_bad_input_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cell", str(tmp_path)]) == 2
    assert "is no cell of an ablation" in capsys.readouterr().err
    assert main(["cell", str(tmp_path), "--hang-minutes=-1"]) == 2
    assert "--hang-minutes -1.0: expected minutes" in capsys.readouterr().err


def test_time_of_all_attempts_adds_up_and_a_run_costs_what_it_cost(tmp_path: Path) -> None:
    (cell,) = make_cells(tmp_path, 1, test="crash")
    assert run(cell) == 1
    pulse = read_pulse(cell.heartbeat)
    assert pulse is not None
    first = pulse.seconds
    tell(cell)
    assert run(cell) == 0
    seconds = json.loads(cell.done_mark.read_text())["seconds"]
    assert seconds["fit"] == round(first["fit"], 1) and seconds["evaluation"] > first["evaluation"]
    # Another evaluation of the same run is another cell.
    other = Cell(**{**vars(cell), "folder": cell.folder.with_name("seed0-other"), "hash": "other"})
    tell(other)
    write_ticket(other)
    assert run(other) == 0 and started(other) == ["test"]
    assert json.loads(other.done_mark.read_text())["seconds"]["fit"] == seconds["fit"]


@pytest.mark.slow
def test_real_cell_is_stopped_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``vjepa fit`` and ``vjepa test`` themselves: a checkpoint at SIGTERM, nothing done twice, a log without bars."""
    monkeypatch.setenv("VJEPA_CACHE", str(tmp_path / "cache"))
    cell = real_cell(tmp_path)
    process = subprocess.Popen([sys.executable, "-m", "vjepa", "cell", str(cell.folder)])
    wait_for(lambda: cell.run.last_checkpoint.exists() or process.poll() is not None, "a checkpoint")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 75
    assert cell.failure is None and not cell.run.is_done
    assert main(["cell", str(cell.folder)]) == 0
    log = cell.log.read_text()
    assert "continuing from" in log and "fwm_hw_ld on glyphs" in log
    assert "\r" not in log and not re.search(r"\d{1,2}%\|", log.replace("100%|", ""))
    assert cell.is_done and json.loads(cell.done_mark.read_text())["git_revision"] != "unknown"
    (evaluation,) = read_ticket(cell.folder).evaluations
    assert {row.benchmark for row in read_rows(evaluation / "results.jsonl")} == {
        f"glyphs/{task}" for task in ("appearance", "motion", "order")
    }


def real_cell(folder: Path) -> Cell:
    """A cell of a few steps on a few clips."""
    configs = (BASE, CONFIGS / "study" / "glyphs.yaml", CONFIGS / "objective" / "fwm_hw_ld.yaml")
    options = [word for path in configs for word in ("--config", str(path))]
    options += [
        f"--data.init_args.{split}_clips={count}" for split, count in (("train", 48), ("val", 16), ("test", 16))
    ]
    options += ["--data.init_args.batch_size=4", "--trainer.accelerator=cpu", "--trainer.max_steps=24"]
    options += ["--checkpoint.every_n_train_steps=2", "--trainer.limit_val_batches=1", f"--run.root={folder / 'runs'}"]
    options += ["--probe.enabled=true", "--probe.probes=[linear_time]", "--probe.controls=false"]
    settings, run = resolve_settings(options), resolve_run(options)
    cell = Cell("fwm_hw_ld", "as_described", 0, run, folder / "cells" / run.folder.name, "ab" * 4, settings)
    cell.folder.mkdir(parents=True)
    cell.config.write_text(yaml.safe_dump(settings, sort_keys=False))
    write_ticket(cell)
    return cell


def test_log_keeps_lines_and_no_states_of_bars() -> None:
    file = io.BytesIO()
    output = LogFilter(file)
    drawn = "\rfeatures:  45%|████▌     | 9/20 [00:01<00:01]"
    text = f"first\r\n{drawn}\r          \rsaid between\n{drawn}\rfeatures: 100%|███| 20/20\nlast"
    data = text.encode()
    for position in range(0, len(data), 7):  # cuts characters and ends of lines in two
        output.feed(data[position : position + 7])
        if data[: position + 7].endswith(b"20 [00"):
            assert output.doing == "features 45 %"
    output.close()
    assert file.getvalue().decode() == "first\nsaid between\nfeatures: 100%|███| 20/20\nlast\n"
    assert output.doing == "features 100 %"


def test_steps_are_read_from_event_files_while_they_grow(tmp_path: Path) -> None:
    steps = EventSteps(tmp_path)
    assert steps.newest() == -1
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("train/loss", 1.0, 49)
        writer.flush()
        assert steps.newest() == 49
        writer.add_scalar("train/loss", 1.0, 12345)
        writer.flush()
        assert steps.newest() == 12345
    (path,) = tmp_path.iterdir()
    with open(path, "ab") as file:  # a record that is not written to its end
        file.write(struct.pack("<Q", 1000) + b"1234")
    assert steps.newest() == 12345


def test_reason_is_the_last_error_of_this_attempt(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("error: of an earlier attempt\n")
    start = log.stat().st_size
    assert reason_of("vjepa fit", 1, log, start) == "vjepa fit ended with code 1"
    with open(log, "a") as file:
        file.write("RuntimeError: CUDA error: out of memory\nwandering on\n")
    assert "ran out of memory: RuntimeError: CUDA" in reason_of("vjepa fit", 1, log, start)
    assert reason_of("vjepa fit", -signal.SIGTERM, tmp_path / "none", 0) == "vjepa fit was killed by SIGTERM"
