"""Broken files in a real run: listed, counted in the losses on held-out clips, and too many of them stop it."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
import yaml

from experiments.cli import main
from experiments.overlays import BASE, CONFIGS
from experiments.report import read_scalars

ROOT = Path(__file__).parents[2]
BROKEN = {"train": (7, 21), "val": (3, 4)}


def write_clip(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast", "threads": "1"})
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(10):
            image = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of 40 training and 9 validation videos, two of them broken in each."""
    root = tmp_path_factory.mktemp("data")
    for split, count in (("train", 40), ("val", 9)):
        for number in range(count):
            write_clip(root / f"{split}{number}.mp4", number)
        for number in BROKEN[split]:
            (root / f"{split}{number}.mp4").write_bytes(b"no video")
        (root / f"{split}.csv").write_text("".join(f"{split}{number}.mp4 0\n" for number in range(count)))
    options: dict[str, object] = {"lists": [{"path": "train.csv"}], "val": [{"path": "val.csv"}]}
    options |= {"root": str(root), "num_frames": 8, "size": 32, "frame_step": 1, "num_workers": 0, "batch_size": 4}
    options["max_broken_ratio"] = 0.5
    config = {"data": {"class_path": "data_modules.VideoListDataModule", "init_args": options}}
    (root / "data.yaml").write_text(yaml.safe_dump(config))
    return root / "data.yaml"


def words(data: Path, root: Path, *extra: str) -> list[str]:
    configs = [word for path in (BASE, CONFIGS / "study" / "glyphs.yaml", data) for word in ("--config", str(path))]
    options = [f"--run.root={root}", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false"]
    options += ["--trainer.max_steps=20", "--trainer.val_check_interval=20", "--trainer.enable_model_summary=false"]
    return ["fit", *configs, *options, *extra]


def listed(root: Path) -> list[tuple[str, str, str]]:
    (path,) = root.rglob("broken.csv")
    with open(path, newline="") as file:
        return sorted((row["id"], row["split"], row["outcome"]) for row in csv.DictReader(file))


EXPECTED = [
    ("train21.mp4", "train", "replaced"),
    ("train7.mp4", "train", "replaced"),
    ("val3.mp4", "val", "left out"),
    ("val4.mp4", "val", "left out"),
]


def test_broken_files_are_listed_and_counted(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(data, tmp_path)) == 0
    assert "val: 2 of 9 clips are broken and left out, 7 were judged" in capsys.readouterr().out
    assert listed(tmp_path) == EXPECTED
    assert read_scalars(tmp_path, ["val/num_clips"])["val/num_clips"].values == (7.0,)


def test_too_many_broken_files_stop_a_run(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(data, tmp_path, "--data.init_args.max_broken_ratio=0.0")) == 2
    told = capsys.readouterr().err
    assert "error: too much of the training data is broken: broken files were met 2 times in 32 clips" in told
    assert "more than max_broken_ratio 0, listed in" in told
    assert not list(tmp_path.rglob("DONE.json"))


@pytest.mark.slow
@pytest.mark.ddp
def test_two_processes_list_and_count_together(data: Path, tmp_path: Path) -> None:
    extra = ("--trainer.devices=2", "--trainer.strategy=ddp", "--data.init_args.batch_size=2")
    command = [sys.executable, "-m", "vjepa", *words(data, tmp_path, *extra)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "val: 2 of 9 clips are broken and left out, 7 were judged" in done.stdout
    assert listed(tmp_path) == EXPECTED
    assert read_scalars(tmp_path, ["val/num_clips"])["val/num_clips"].values == (7.0,)
    started = time.monotonic()
    command += ["--data.init_args.max_broken_ratio=0.0", "--run.resume=never", "--data.init_args.num_workers=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert "too much of the training data is broken" in done.stderr
    assert time.monotonic() - started < 200
