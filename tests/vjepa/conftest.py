"""Clips and short runs for the tests of the LightningModules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from vjepa.latents import Clip
from vjepa.module import VideoJEPA


def noise_clip(batch: int = 8, frames: int = 8, seed: int = 0) -> Clip:
    """Uniform noise, (batch, frames, 32, 32, 3)."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (batch, frames, 32, 32, 3), generator=generator, dtype=torch.uint8)
    return Clip(pixels, torch.arange(batch), torch.zeros(batch, 1, dtype=torch.int64))


def loader(clips: list[Clip]) -> DataLoader:
    """The clips in order, each a batch."""
    return DataLoader(clips, batch_size=None)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def clip() -> Clip:
    return noise_clip()


@pytest.fixture(scope="session")
def frames(clip: Clip) -> Tensor:
    return clip.frames


@pytest.fixture(scope="session")
def train() -> Callable[..., Trainer]:
    """Train on the CPU for some steps over a list of clips, without files."""

    def run(model: VideoJEPA, clips: list[Clip], steps: int, ckpt_path: Any = None, **options: Any) -> Trainer:
        trainer = Trainer(
            accelerator="cpu", devices=1, max_steps=steps, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1, **options,
        )  # fmt: skip
        trainer.fit(model, train_dataloaders=loader(clips), ckpt_path=ckpt_path)
        return trainer

    return run
