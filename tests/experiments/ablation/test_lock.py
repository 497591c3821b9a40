"""One process at a time in a folder."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.ablation.lock import FRESH_SECONDS, LOCK, hold, read_holder
from tests.experiments.ablation.stand_in import ROOT, is_alive, wait_for
from vjepa.errors import UserError

HOLD = (
    "import subprocess, sys, time\n"
    "from pathlib import Path\n"
    "from experiments.ablation.lock import hold\n"
    "with hold(Path(sys.argv[1]), 'vjepa ablation') as lock:\n"
    "    if len(sys.argv) > 2:\n"
    "        code = 'import sys, time; sys.stdin.readline()'\n"
    "        subprocess.Popen([sys.executable, '-c', code], pass_fds=(lock.descriptor,))\n"
    "    print('held', flush=True)\n"
    "    time.sleep(1000)\n"
)


def holder(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """A process that holds the lock; with a word more, its child keeps it until the end of its input."""
    command = [sys.executable, "-c", HOLD, str(folder), *words]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def test_second_process_is_told_who_holds_it_and_a_dead_holder_frees_it(tmp_path: Path) -> None:
    process = holder(tmp_path)
    with pytest.raises(UserError) as refused, hold(tmp_path, "vjepa ablation"):
        pass
    said = str(refused.value)
    assert f"process {process.pid}" in said and socket.gethostname() in said and "vjepa ablation of" in said
    end(process)
    with hold(tmp_path, "another", patience=0):
        found = read_holder(tmp_path / LOCK)
        assert found is not None and found.pid == os.getpid() and found.what == "another" and found.is_here
        with pytest.raises(UserError, match="in use by another"), hold(tmp_path, "a third"):
            pass
    assert read_holder(tmp_path / LOCK) is None, "given back"
    with hold(tmp_path, "another"):
        pass


def test_children_of_a_dead_holder_are_waited_for(tmp_path: Path) -> None:
    process = holder(tmp_path, "with a child")
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(UserError, match=f"process {process.pid}"), hold(tmp_path, "another", patience=0.3):
        pass
    end(process)  # ends the input of the child
    with hold(tmp_path, "another"):
        assert not is_alive(process.pid)


def test_lock_of_another_host_counts_while_it_is_fresh(tmp_path: Path) -> None:
    path = tmp_path / LOCK
    said = {"what": "vjepa ablation", "who": "ada", "host": "elsewhere", "pid": 7, "since": "2026-11-24T03:00:00+00:00"}
    path.write_text(json.dumps(said))
    refused = pytest.raises(UserError, match=r"ada on elsewhere.*last sign of life is \d+ s old.*remove")
    with refused, hold(tmp_path, "x", patience=0):
        pass
    old = path.stat().st_mtime - FRESH_SECONDS + 1
    os.utime(path, (old, old))
    with hold(tmp_path, "x"):  # waits until it is too old to count
        assert "ada" not in path.read_text()


def test_holder_shows_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.ablation.lock._REFRESH_SECONDS", 0.05)
    with hold(tmp_path, "x"):
        os.utime(tmp_path / LOCK, (1e9, 1e9))
        wait_for(lambda: (tmp_path / LOCK).stat().st_mtime > 1e9 + 1, "a sign of life")


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"), hold(tmp_path / "file" / "below", "x"):
        pass
