"""How many clips stand behind the losses on held-out clips."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from tqdm import tqdm

from vjepa.latents import Clip


class HeldOutCount(Callback):
    """Log ``val/num_clips`` (``test/num_clips``) over all processes, and say how many clips were left out as broken."""

    def __init__(self) -> None:
        self._num_clips = 0
        self._said: dict[str, int] = {}

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start to count."""
        self._num_clips = 0

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Clip,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Count."""
        self._num_clips += len(batch)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log and report."""
        self._report("val", trainer, pl_module)

    on_test_epoch_start = on_validation_epoch_start
    on_test_batch_end = on_validation_batch_end

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """As for validation."""
        self._report("test", trainer, pl_module)

    def _report(self, split: str, trainer: Trainer, pl_module: LightningModule) -> None:
        dataset = trainer.datamodule.dataset(split)  # type: ignore[attr-defined]
        counts = torch.tensor([self._num_clips, len(dataset.broken)], device=pl_module.device)
        num_clips, num_broken = map(int, trainer.strategy.reduce(counts, reduce_op="sum"))
        pl_module.log(f"{split}/num_clips", float(num_clips), rank_zero_only=True)
        if num_broken and num_broken != self._said.get(split) and trainer.is_global_zero:
            self._said[split] = num_broken
            tqdm.write(
                f"{split}: {num_broken} of {len(dataset)} clips are broken and left out, {num_clips} were judged; see "
                f"{dataset.broken.path}"
            )
