"""A process of a training dies: the whole training ends soon, says so, and goes on from its checkpoint."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.checkpoints import read_step
from experiments.overlays import BASE
from tests.experiments.ablation.stand_in import is_alive, wait_for

ROOT = Path(__file__).parents[3]
CLIPS = ("--data.init_args.train_clips=48", "--data.init_args.val_clips=16", "--data.init_args.test_clips=16")
SOON_S = 30
"""Within which everything has to be over, on a loaded machine."""

pytestmark = [pytest.mark.slow, pytest.mark.ddp]


def words(root: Path, steps: int) -> list[str]:
    return [
        *("fit", "--config", str(BASE), *CLIPS, f"--run.root={root}", f"--trainer.max_steps={steps}"),
        *("--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.accelerator=cpu"),
        *("--data.init_args.batch_size=4", "--trainer.enable_progress_bar=false"),
        "--checkpoint.every_n_train_steps=10",
    ]  # fmt: skip


def begin(command: list[str], folder: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"VJEPA_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdout=subprocess.DEVNULL,
                            stderr=(folder / "said.txt").open("w"))  # fmt: skip


def ranks_of(process: subprocess.Popen[str]) -> tuple[int, int]:
    """Process numbers of ranks 0 and 1: Lightning starts the second from the first."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True)
    (other,) = map(int, found.stdout.split())
    return process.pid, other


@pytest.mark.parametrize("dying", [0, 1])
def test_killed_rank_ends_the_training_and_it_goes_on(dying: int, tmp_path: Path) -> None:
    process = begin([sys.executable, "-m", "vjepa", *words(tmp_path / "runs", 100_000)], tmp_path)
    wait_for(lambda: bool(list(tmp_path.rglob("last.ckpt"))) or process.poll() is not None, "a checkpoint")
    ranks = ranks_of(process)
    os.kill(ranks[dying], signal.SIGKILL)
    killed = time.monotonic()
    wait_for(lambda: process.poll() is not None and not is_alive(ranks[1]), "the end of both")
    said = (tmp_path / "said.txt").read_text()
    assert process.returncode == (-signal.SIGKILL if dying == 0 else 1)
    assert f"rank {1 - dying} stops because another process of this training has ended" in said
    assert "Traceback" not in said and time.monotonic() - killed < SOON_S
    (checkpoint,) = tmp_path.rglob("last.ckpt")
    kept = read_step(checkpoint)
    again = begin([sys.executable, "-m", "vjepa", *words(tmp_path / "runs", 100_000)], tmp_path)
    wait_for(lambda: read_step(checkpoint) > kept or again.poll() is not None, "the next checkpoint")
    again.send_signal(signal.SIGUSR1)
    assert again.wait(60) == 75 and read_step(checkpoint) > kept


def test_a_failing_rank_shows_where_it_failed(tmp_path: Path) -> None:
    script = tmp_path / "failing.py"
    script.write_text(
        "import sys\n"
        "from experiments.cli import main\n"
        "from vjepa.module import VideoJEPA\n"
        "sound = VideoJEPA.loss\n"
        "def loss(self, latents):\n"
        "    if self.global_rank == 1 and latents.step == 3:\n"
        "        raise RuntimeError('a kernel has failed')\n"
        "    return sound(self, latents)\n"
        "VideoJEPA.loss = loss\n"
        "if __name__ == '__main__':\n"
        "    sys.exit(main(sys.argv[1:]))\n"
    )
    process = begin([sys.executable, str(script), *words(tmp_path / "runs", 100_000)], tmp_path)
    assert process.wait(180) == 1
    said = (tmp_path / "said.txt").read_text()
    assert "rank 1 failed:\nTraceback" in said and "in loss\n" in said and "RuntimeError: a kernel has failed" in said
    assert "rank 0 failed" not in said
    assert not list(tmp_path.rglob("DONE.json"))
