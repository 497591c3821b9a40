"""FSDP2 on two real processes takes the steps that DDP takes, and leaves a whole checkpoint."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, Strategy
from torch.distributed.tensor import DTensor
from torch.multiprocessing.spawn import spawn

from tests.vjepa.runs import QUIET, every_term, loader, model_of, noise_clip
from vjepa.errors import UserError
from vjepa.module import FactorizedVideoJEPA
from vjepa.optimization import OptimizerOptions
from vjepa.targets import TargetOptions

WORLD, STEPS = 2, 3
FAST = OptimizerOptions(lr=1e-3, lr_start=1e-3, lr_final=1e-3, warmup_steps=0)


def model() -> FactorizedVideoJEPA:
    target = TargetOptions(momentum=(0.5, 0.5))
    return model_of(FactorizedVideoJEPA, objectives=every_term(), target=target, optimizer=FAST)  # type: ignore[return-value]


def strategy(kind: str) -> Strategy:
    if kind == "ddp":
        return DDPStrategy(process_group_backend="gloo")
    return ModelParallelStrategy(data_parallel_size=WORLD, tensor_parallel_size=1, save_distributed_checkpoint=False,
                                 process_group_backend="gloo")  # fmt: skip


def work(rank: int, kind: str, folder: str, port: int) -> None:
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": str(rank), "NODE_RANK": "0",
                   "WORLD_SIZE": str(WORLD), "RANK": str(rank)}  # fmt: skip
    options: dict[str, Any] = {**QUIET, "devices": WORLD, "strategy": strategy(kind), "use_distributed_sampler": False}
    trainer, trained = Trainer(max_steps=STEPS, log_every_n_steps=1, **options), model()
    trainer.fit(trained, loader([noise_clip(2, seed=10 * step + rank) for step in range(STEPS)]))
    assert isinstance(trained.encoder.blocks[0].attn.qkv.weight, DTensor) == (kind == "fsdp")
    trainer.save_checkpoint(f"{folder}/{kind}.ckpt")
    torch.save(float(trainer.callback_metrics["train/loss"]), f"{folder}/{kind}{rank}.loss")
    dist.barrier()


@pytest.mark.slow
@pytest.mark.ddp
def test_sharded_training_equals_ddp(tmp_path: Path) -> None:
    for number, kind in enumerate(("ddp", "fsdp")):
        spawn(work, (kind, str(tmp_path), 29610 + number), nprocs=WORLD)
    ddp, fsdp = (torch.load(tmp_path / f"{kind}.ckpt", weights_only=True)["state_dict"] for kind in ("ddp", "fsdp"))
    assert ddp.keys() == fsdp.keys()
    fresh = model()
    fresh.load_state_dict(fsdp)
    moved = {name: (value - ddp[name]).abs().max() for name, value in fsdp.items()}
    # Adam divides by gradients that may be as small as their rounding: a step is at most the learning rate.
    assert max(moved.values()) < 2e-4 and torch.stack(list(moved.values())).mean() < 1e-5
    for rank in range(WORLD):
        losses = [torch.load(tmp_path / f"{kind}{rank}.loss", weights_only=True) for kind in ("ddp", "fsdp")]
        assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_a_divided_model_is_not_evaluated() -> None:
    divided = model()
    divided.sharded = True
    with pytest.raises(UserError, match="run vjepa probe or vjepa robustness"):
        divided.frozen()


def test_single_images_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = model_of(image_mode="single")
    monkeypatch.setattr(type(mixed), "device_mesh", {"data_parallel": None})
    with pytest.raises(UserError, match="image_mode single"):
        mixed.configure_model()
