"""Small models, clips and short runs for the tests of the LightningModules."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from vjepa.latents import Clip
from vjepa.module import VideoJEPA
from vjepa.objectives import REGISTRY, Objectives

QUIET: dict[str, Any] = {
    "accelerator": "cpu", "devices": 1, "logger": False, "enable_checkpointing": False,
    "enable_progress_bar": False, "enable_model_summary": False,
}  # fmt: skip


def noise_clip(batch: int = 8, frames: int = 8, seed: int = 0) -> Clip:
    """Uniform noise, (batch, frames, 32, 32, 3)."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (batch, frames, 32, 32, 3), generator=generator, dtype=torch.uint8)
    return Clip(pixels, torch.arange(batch), torch.zeros(batch, 1, dtype=torch.int64))


def loader(clips: list[Clip]) -> DataLoader:
    """The clips in order, each a batch."""
    return DataLoader(clips, batch_size=None)  # type: ignore[arg-type]


def train(model: VideoJEPA, clips: list[Clip], steps: int, ckpt_path: Any = None, **options: Any) -> Trainer:
    """Train on the CPU, without files."""
    trainer = Trainer(max_steps=steps, log_every_n_steps=1, **QUIET, **options)
    trainer.fit(model, train_dataloaders=loader(clips), ckpt_path=ckpt_path)
    return trainer


def model_of(cls: type[VideoJEPA] = VideoJEPA, **options: Any) -> VideoJEPA:
    return cls(**{"preset": "tiny", "patch_size": 8, **options})


EMA_OPTIONS: dict[str, dict[str, Any]] = {"kinematic": {"tokens": "context"}}
"""Options without which a term does not suit a model with a teacher."""


def every_term() -> Any:
    """All terms at once, as a factorized model with a teacher can take them."""
    return Objectives(**{name: cls(**EMA_OPTIONS.get(name, {})) for name, cls in REGISTRY.items()})


def state(model: VideoJEPA, prefix: str = "") -> dict[str, Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items() if key.startswith(prefix)}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
