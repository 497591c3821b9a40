"""Clips per second."""

from __future__ import annotations

import time
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from vjepa.latents import Clip
from vjepa.module import VideoJEPA


class ThroughputMonitor(Callback):
    """Log ``throughput/clips_per_second`` over all processes, as a mean over each logging interval."""

    def __init__(self) -> None:
        self._clips = 0
        self._since = time.perf_counter()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._clips, self._since = 0, time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Clip, batch_idx: int
    ) -> None:
        """Count; at a logging step, log and start again."""
        self._clips += len(batch) * trainer.world_size
        if isinstance(pl_module, VideoJEPA) and pl_module.latest is not None:
            now = time.perf_counter()
            rate = torch.tensor(
                self._clips / max(now - self._since, 1e-9)
            )  # on the CPU, where a bar reads it at no cost
            pl_module.log("throughput/clips_per_second", rate, prog_bar=True)
            self._clips, self._since = 0, now
