"""A long training on real files: its memory, processes, file handles and temporary files stay as they are."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from experiments.checkpoints import read_step
from experiments.overlays import BASE, CONFIGS
from tests.data_modules.layouts import write_ucf101

ROOT = Path(__file__).parents[2]
MINUTES = float(os.environ.get("VJEPA_SOAK_MINUTES", "3"))
"""Minutes that are watched; docs/reliability.md has the figures of an hour."""
WARM_UP = 1 / 6
"""Part of the time after which nothing may grow."""
ALLOWED_MB = 50
ALLOWED_HANDLES = 8
"""How many are open at the moment of a sample varies by as many; one lost with each checkpoint would be more."""
EVERY_S = 2.0


@dataclass(frozen=True)
class Sample:
    """What a tree of processes holds; MB are anonymous and shared memory, each page counted once, and no libraries."""

    second: float
    steps: int
    megabytes: float
    processes: int
    handles: int
    temporary: int


def test_an_hour_of_training_holds_what_it_held_at_first(tmp_path: Path) -> None:
    """Two loader processes decode videos, a probe is fitted every 100 steps, checkpoints come every 50."""
    write_ucf101(tmp_path / "data")
    scratch = Path(tempfile.mkdtemp(prefix="soak"))  # sockets of the loader live there: their paths must be short
    process = subprocess.Popen(
        command(tmp_path / "runs"),
        cwd=ROOT,
        env=os.environ | {"DATA_ROOT": str(tmp_path / "data"), "TMPDIR": str(scratch), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=(tmp_path / "errors.txt").open("w"),
    )
    try:
        samples = watch(process, tmp_path / "runs", scratch)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=60)
        remaining = left_over(scratch)
        shutil.rmtree(scratch)
    assert code == 75, (tmp_path / "errors.txt").read_text()[-2000:]
    if report := os.environ.get("VJEPA_SOAK_REPORT"):
        Path(report).write_text("".join(json.dumps(asdict(sample)) + "\n" for sample in samples))
    settled = [sample for sample in samples if sample.second > WARM_UP * samples[-1].second]
    assert len(settled) > 20 and settled[-1].steps > settled[0].steps + 100
    # Highest points are compared: a probe or a checkpoint that is being written holds more for a moment.
    third = len(settled) // 3
    early, late = settled[:third], settled[-third:]
    assert peak(late, "megabytes") < peak(early, "megabytes") + ALLOWED_MB
    assert peak(late, "handles") < peak(early, "handles") + ALLOWED_HANDLES
    assert {sample.processes for sample in settled} == {settled[0].processes}
    assert settled[-1].temporary <= peak(early, "temporary")
    assert not remaining


def command(root: Path) -> list[str]:
    configs = (BASE, CONFIGS / "regime" / "ucf101.yaml", CONFIGS / "objective" / "fwm_hw_ld.yaml")
    return [
        *(sys.executable, "-m", "vjepa", "fit", *(word for path in configs for word in ("--config", str(path)))),
        *(f"--run.root={root}", "--trainer.max_steps=1000000", "--trainer.accumulate_grad_batches=1"),
        *("--trainer.precision=32-true", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"),
        *("--trainer.log_every_n_steps=10", "--trainer.val_check_interval=200", "--model.preset=tiny"),
        *("--data.init_args.size=48", "--data.init_args.num_frames=8", "--data.init_args.batch_size=4"),
        *("--data.init_args.num_workers=2", "--model.image_frames=8", "--model.patch_size=8"),
        *("--checkpoint.every_n_train_steps=50", "--probe.every_n_steps=100", "--pictures.every_n_steps=500"),
    ]


def watch(process: subprocess.Popen[bytes], root: Path, scratch: Path) -> list[Sample]:
    """Samples from the first checkpoint on."""
    deadline = time.monotonic() + 300
    while not (found := list(root.rglob("last.ckpt"))) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    assert found, "no checkpoint was written"
    start, samples = time.monotonic(), list[Sample]()
    while time.monotonic() - start < 60 * MINUTES:
        time.sleep(EVERY_S)
        assert process.poll() is None, "the training ended"
        samples.append(sample(process.pid, time.monotonic() - start, found[0], scratch))
    return samples


def sample(pid: int, second: float, checkpoint: Path, scratch: Path) -> Sample:
    tree = [pid, *children(pid)]
    return Sample(
        second=round(second, 1),
        steps=read_step(checkpoint),
        megabytes=round(sum(map(held_mb, tree)), 1),
        processes=len(tree),
        handles=sum(len(os.listdir(f"/proc/{one}/fd")) for one in tree if os.path.isdir(f"/proc/{one}/fd")),
        temporary=len(left_over(scratch)),
    )


def children(pid: int) -> list[int]:
    found = [int(word) for path in Path(f"/proc/{pid}/task").glob("*/children") for word in path.read_text().split()]
    return [*found, *(grandchild for child in found for grandchild in children(child))]


def held_mb(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # it has just ended
        return 0.0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(("Pss_Anon", "Pss_Shmem"))) / 1024


def left_over(scratch: Path) -> list[Path]:
    """Temporary files that are nobody's any more; those of the loader's processes live as long as they do."""
    return [path for path in scratch.rglob("*") if path.is_file()]


def peak(samples: list[Sample], name: str) -> float:
    return max(getattr(sample, name) for sample in samples)


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads /proc, which is Linux"),
]
