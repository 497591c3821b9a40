"""A run that is killed in the middle of an epoch continues with exactly the samples that would have come."""

from __future__ import annotations

import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from data_modules import ListSource, VideoListDataModule
from tests.data_modules.damaged import read_broken
from tests.data_modules.encoded import moving_frames, write_video
from vjepa.latents import Clip

STEPS, STOP, KEPT = 17, 10, 8  # of 10 steps that were done, 8 are in the checkpoint


class Stop(Exception):
    """The run is cut off here."""


class Recorder(pl.LightningModule):
    """Writes down every batch that it gets, and stops or kills itself if asked to."""

    def __init__(self, folder: Path, stop: str) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.folder, self.stop = folder, stop

    def training_step(self, clip: Clip, _: int) -> torch.Tensor:
        if self.stop and self.global_step == STOP:
            if self.stop == "kill":
                signal.raise_signal(signal.SIGKILL)
            raise Stop
        with open(self.folder / f"rank{self.global_rank}.txt", "a") as file:
            print(clip.index.tolist(), int(clip.frames.sum()), file=file)
        return self.weight * clip.frames.float().mean()

    def validation_step(self, clip: Clip, _: int) -> None:
        with open(self.folder / f"val{self.global_rank}.txt", "a") as file:
            print(*clip.index.tolist(), file=file)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-6)


def make(root: Path, order: str, workers: int, batch_size: int) -> VideoListDataModule:
    lists = [ListSource("a.csv", 0.3), ListSource("b.csv", 0.7)]
    return VideoListDataModule(
        lists[:1] if order == "step" else lists,
        val=[ListSource("val.csv")],
        replacement=order == "weighted",
        batch_size=batch_size,
        num_workers=workers,
        root=str(root),
        num_frames=2,
        size=16,
        seed=3,
        max_broken_ratio=1.0,
        timeout=120,
    )


def fit(root: Path, folder: Path, order: str, workers: int, devices: int, stop: str, accumulate: int = 1) -> None:
    folder.mkdir(exist_ok=True)
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        max_steps=STEPS,
        max_epochs=-1,
        val_check_interval=STEPS * accumulate,
        limit_val_batches=0 if stop else None,
        num_sanity_val_steps=0,
        accumulate_grad_batches=accumulate,
        logger=False,
        callbacks=[pl.callbacks.ModelCheckpoint(folder, every_n_train_steps=4, save_last=True, save_top_k=0)],
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    last = folder / "last.ckpt"
    data = make(root, order, workers, 4 // devices)
    trainer.fit(Recorder(folder, stop), data, ckpt_path=str(last) if last.exists() else None, weights_only=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two lists of 18 and 14 clips, one of them broken in each, and 7 for validation, one of them broken."""
    root = tmp_path_factory.mktemp("root")
    for name, count in (("a", 18), ("b", 14), ("val", 7)):
        for number in range(count):
            path = root / f"{name}{number}.mp4"
            write_video(path, moving_frames(12, 32, 32, seed=number), options={"preset": "ultrafast"})
        (root / f"{name}5.mp4").write_bytes(b"broken")
        (root / f"{name}.csv").write_text("".join(f"{name}{number}.mp4 0\n" for number in range(count)))
    return root


def expected(root: Path, order: str, devices: int, count: int) -> list[list[str]]:
    """What each rank should read: the batches of one process, divided."""
    found: list[list[str]] = [[] for _ in range(devices)]
    for clip in islice(make(root, order, 0, 4).train_dataloader(), count):
        for rank in range(devices):
            part = slice(4 // devices * rank, 4 // devices * (rank + 1))
            found[rank].append(f"{clip.index[part].tolist()} {int(clip.frames[part].sum())}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("order", "workers", "accumulate"),
    [("step", 0, 1), ("step", 2, 2), ("weighted", 0, 2), ("weighted", 2, 1), ("mixture", 0, 1), ("mixture", 2, 2)],
)
def test_one_process(root: Path, tmp_path: Path, order: str, workers: int, accumulate: int) -> None:
    with pytest.raises(Stop):
        fit(root, tmp_path, order, workers, 1, "raise", accumulate)
    whole = expected(root, order, 1, STEPS * accumulate)[0]
    path = tmp_path / "rank0.txt"
    assert path.read_text().splitlines() == whole[: STOP * accumulate]
    path.unlink()
    fit(root, tmp_path, order, workers, 1, "", accumulate)
    assert path.read_text().splitlines() == whole[KEPT * accumulate :]
    assert (tmp_path / "val0.txt").read_text().split() == list("012346"), "the broken clip is left out"


@pytest.mark.slow
@pytest.mark.ddp
@pytest.mark.parametrize(
    ("order", "workers"),
    [("step", 0), ("step", 2), ("weighted", 0), ("weighted", 2), ("mixture", 0), ("mixture", 2)],
)
def test_two_processes(root: Path, tmp_path: Path, order: str, workers: int) -> None:
    assert run(root, tmp_path, order, workers, 2, "kill").returncode != 0
    whole = expected(root, order, 2, STEPS)
    for rank in range(2):
        path = tmp_path / f"rank{rank}.txt"
        assert path.read_text().splitlines() == whole[rank][:STOP]
        path.unlink()
    done = run(root, tmp_path, order, workers, 2, "")
    assert done.returncode == 0, done.stderr[-2000:]
    for rank in range(2):
        assert (tmp_path / f"rank{rank}.txt").read_text().splitlines() == whole[rank][KEPT:]
    judged = [(tmp_path / f"val{rank}.txt").read_text().split() for rank in range(2)]
    assert sorted(judged[0] + judged[1]) == list("012346"), "seven clips, each once, without the broken one"
    names = {"a5.mp4", "val5.mp4"} | (set() if order == "step" else {"b5.mp4"})
    assert set(read_broken(tmp_path / "broken.csv")) == names
    assert len((tmp_path / "broken.csv").read_text().splitlines()) == 1 + len(names)


SCRIPT = """
import sys

if __name__ == "__main__":  # loader processes import this file
    from pathlib import Path
    from test_resume import fit

    fit(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), sys.argv[6])
"""


def run(root: Path, folder: Path, *options: Any) -> subprocess.CompletedProcess[str]:
    here = Path(__file__).parent
    (folder / "train.py").write_text(SCRIPT)
    environment = {"PATH": "", "PYTHONPATH": f"{here.parents[1]}:{here}", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, str(folder / "train.py"), str(root), str(folder), *map(str, options)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=folder,
    )
