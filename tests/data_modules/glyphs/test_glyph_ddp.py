"""Two real processes under Lightning's DDP see disjoint training batches and unpadded evaluation shards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from data_modules.glyphs.store import GlyphStore
from data_modules.mixing.order import StepSampler

SCRIPT = """
import json, sys
from pathlib import Path
import lightning.pytorch as pl
import torch
from data_modules import GlyphsDataModule


class Recorder(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.trained, self.validated = [], []

    def training_step(self, clip, _):
        self.trained.append(clip.index.tolist())
        return self.weight * clip.frames.float().mean()

    def validation_step(self, clip, _):
        self.validated += clip.index.tolist()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-6)

    def on_fit_end(self):
        seen = {"trained": self.trained, "validated": self.validated}
        Path(sys.argv[2], f"rank{self.global_rank}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    data = GlyphsDataModule(batch_size=4, root=sys.argv[1], train_clips=24, val_clips=8, test_clips=10)
    trainer = pl.Trainer(
        accelerator="cpu", devices=2, strategy="ddp", max_steps=6, max_epochs=-1, val_check_interval=6,
        num_sanity_val_steps=0, logger=False, enable_checkpointing=False, enable_progress_bar=False,
    )
    trainer.fit(Recorder(), data)
"""


@pytest.mark.slow
@pytest.mark.ddp
def test_two_processes_share_the_clips(prepared: GlyphStore, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    root = Path(__file__).parents[3]
    command = [sys.executable, str(script), str(prepared.folder.parent), str(tmp_path)]
    environment = {"PATH": "", "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    seen = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in range(2)]
    for rank in range(2):
        sampler = StepSampler(24, 4, seed=0, rank=rank, world=2)
        assert seen[rank]["trained"] == [sampler.batch(number) for number in range(6)]
    assert seen[0]["validated"] == [0, 2, 4, 6] and seen[1]["validated"] == [1, 3, 5, 7]
