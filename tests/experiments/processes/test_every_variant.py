"""Every variant, in both readings, on two real processes: each parameter that learns gets a gradient at every step."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from experiments.load import instantiate
from experiments.overlays import BASE, objective_overlay, variant_names
from experiments.training.resolve import resolve_settings
from tests.vjepa.runs import noise_clip
from vjepa.module import VideoJEPA

WORLD, BATCH = 2, 4
READINGS = ("as_described", "as_released")


class Step(nn.Module):
    """The loss of a batch."""

    def __init__(self, model: VideoJEPA) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor, step: int) -> Tensor:
        return self.model.loss(self.model.latents(frames, step=step)).total


def make(variant: str, reading: str) -> VideoJEPA:
    options = ["--config", str(BASE), "--config", str(objective_overlay(variant)), f"--model.reading={reading}"]
    model: VideoJEPA = instantiate(resolve_settings(options), "model", variant)
    model.total_steps = 10
    return model


def work(rank: int, models: list[tuple[str, VideoJEPA]], folder: str) -> None:
    """Two steps of each; DDP looks for no unused parameter, and fails at the second step if there was one."""
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    store = f"file://{folder}/store"
    dist.init_process_group("gloo", store, timedelta(seconds=60), world_size=WORLD, rank=rank)
    learned: dict[str, bool] = {}
    for name, model in models:
        module = DistributedDataParallel(Step(model))
        for step in range(2):
            module.zero_grad()
            module(noise_clip(BATCH, seed=2 * step + rank).frames, step).backward()
        learned[name] = all(p.grad is not None for p in module.parameters() if p.requires_grad)
    torch.save(learned, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.ddp
@pytest.mark.parametrize("reading", READINGS)
def test_every_variant_trains_on_two_processes(reading: str, tmp_path: Path) -> None:
    models = [(name, make(name, reading)) for name in variant_names()]
    assert len(models) >= 28
    spawn(work, (models, str(tmp_path)), nprocs=WORLD)
    for rank in range(WORLD):
        learned = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert learned == dict.fromkeys(dict(models), True)
