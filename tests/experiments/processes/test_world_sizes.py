"""One, two and four processes with the same clips and masks are the same training, token by token."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from tests.vjepa.runs import model_of, noise_clip
from vjepa.latents import Masks
from vjepa.module import VideoJEPA
from vjepa.objectives import REGISTRY, Objectives
from vjepa.optimization import OptimizerOptions
from vjepa.targets import TargetOptions

BATCH, STEPS = 8, 3
FAST = OptimizerOptions(lr=1e-3, lr_start=1e-3, lr_final=1e-3, warmup_steps=0)


def make() -> VideoJEPA:
    """Terms that are means over tokens, of which every process has as many; means over pairs of tokens are not."""
    names = ("prediction", "context", "hard_region")
    torch.manual_seed(0)  # heads start the same in every process
    objectives = Objectives(**{name: REGISTRY[name]() for name in names})
    model = model_of(objectives=objectives, target=TargetOptions(momentum=(0.9, 0.9)), optimizer=FAST)
    model.total_steps = STEPS
    return model


class Step(nn.Module):
    """A batch with masks that are given: its loss, and the error of each predicted token."""

    def __init__(self, model: VideoJEPA) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor, masks: Masks, step: int) -> tuple[Tensor, list[Tensor]]:
        self.model.masks = lambda *_, **__: masks  # type: ignore[method-assign]
        latents = self.model.latents(frames, step=step)
        errors = [
            (predicted - latents.targets.gather(1, tokens[..., None].expand(-1, -1, predicted.shape[-1]))).abs().mean(2)
            for predicted, tokens in zip(latents.predicted, masks.target, strict=True)
        ]
        return self.model.loss(latents).total, errors


def whole_masks(model: VideoJEPA, step: int) -> Masks:
    """Masks of the whole batch, all of one size, as one process draws them."""
    frames = noise_clip(BATCH).frames
    grid = model.encoder.grid(model.pixels(frames))
    return model.masks(grid, BATCH, step=step)


def part(masks: Masks, rows: slice) -> Masks:
    return Masks(tuple(each[rows] for each in masks.context), tuple(each[rows] for each in masks.target))


def trace(rank: int, world: int) -> list[list[Tensor]]:
    """Errors of the tokens of this process at every step."""
    model = make()
    drawn = [whole_masks(model, step) for step in range(STEPS)]
    module: nn.Module = Step(model)
    if world > 1:
        module = DistributedDataParallel(module)
    optimizer: Any = FAST.build([model.encoder, model.predictor, *model.terms.values()])
    rows, errors = slice(rank * BATCH // world, (rank + 1) * BATCH // world), []
    for step, masks in enumerate(drawn):
        loss, each = module(noise_clip(BATCH, seed=step).frames[rows], part(masks, rows), step)
        errors.append([one.detach() for one in each])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.target.update(model.encoder, step, STEPS)
    return errors


def work(rank: int, world: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", f"file://{folder}/store{world}", timedelta(seconds=120), world_size=world, rank=rank
    )
    torch.save(trace(rank, world), f"{folder}/{world}-{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.ddp
def test_losses_of_tokens_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    """Batches, masks and weights are the same; terms are means over tokens, of which each process has as many."""
    alone = trace(0, 1)
    for world in (2, 4):
        spawn(work, (world, str(tmp_path)), nprocs=world)
        shares = [torch.load(tmp_path / f"{world}-{rank}.pt", weights_only=True) for rank in range(world)]
        for step in range(STEPS):
            for number, whole in enumerate(alone[step]):
                joined = torch.cat([share[step][number] for share in shares])
                torch.testing.assert_close(joined, whole, rtol=0, atol=1e-6)
    first, last = (torch.cat([each.mean()[None] for each in alone[step]]) for step in (0, -1))
    assert ((first - last).abs() > 1e-3).all()  # the weights did change between the steps
