"""Stops a training that can only waste time: a loss that is no number, or a representation that has collapsed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from vjepa.errors import UserError
from vjepa.module import VideoJEPA
from vjepa.storage import atomic_write_text

STOPPED = "STOPPED.json"
"""Beside the run's record: at which step it was stopped, why, and which clips the batch held."""

_LOSSES = "guard/losses"
"""Among the module's notes: the losses since the last look."""


class StoppedError(RuntimeError):
    """A training was stopped because of what it had become."""


class Guard(Callback):
    """Stop on a loss that is NaN or infinite, and, where limits are set, on a collapse.

    Losses stay on the device and are looked at when the logger takes values and before a checkpoint is written, so that
    the last checkpoint is always one from before. ``STOPPED.json`` in the run's folder names the step and the clips.

    Args:
        nan: stop on a loss that is NaN or infinite.
        min_rankme: stop when ``collapse/rankme``, the effective rank of the context, is lower; null never stops.
        min_target_variance: stop when ``collapse/target_variance`` is lower; null never stops.
        patience: logging steps in a row that a limit is missed before training stops, >= 1.

    Raises:
        UserError: ``patience`` is out of range.
    """

    def __init__(
        self,
        nan: bool = True,
        min_rankme: float | None = None,
        min_target_variance: float | None = None,
        patience: int = 3,
    ) -> None:
        if patience < 1:
            raise UserError(f"guard.patience {patience}: expected 1 or more")
        self.nan, self.patience = nan, patience
        self.limits = {"collapse/rankme": min_rankme, "collapse/target_variance": min_target_variance}
        self._missed = dict.fromkeys(self.limits, 0)
        self._unseen: list[tuple[int, Tensor, Tensor]] = []  # step, loss, positions of the clips
        self._clips = torch.empty(0)
        self._last_step = 0

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget why an earlier try was stopped."""
        self._last_step = trainer.global_step
        if trainer.is_global_zero:
            (Path(trainer.default_root_dir) / STOPPED).unlink(missing_ok=True)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Remember which clips the next loss is of."""
        self._clips = batch.index

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Keep the loss of a micro-batch."""
        if self.nan:
            self._unseen.append((trainer.global_step + 1, loss.detach().float(), self._clips))

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Have the losses read back together with what the logger takes."""
        if self._unseen and isinstance(pl_module, VideoJEPA) and pl_module.logs_this_step:
            pl_module.notes.add({_LOSSES: torch.stack([loss for _, loss, _ in self._unseen])})

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Judge what was read back."""
        if trainer.global_step == self._last_step:  # between micro-batches
            return
        self._last_step = trainer.global_step
        every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every > 0 and trainer.global_step % every == 0:
            self._judge(trainer, getattr(pl_module, "noted", {}).get(_LOSSES))
            self._check_limits(trainer, batch.index)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Keep weights that are no numbers out of every checkpoint."""
        self._judge(trainer)

    def _judge(self, trainer: Trainer, losses: Tensor | None = None) -> None:
        noted, self._unseen = self._unseen, []
        if not noted:
            return
        losses = torch.stack([loss for _, loss, _ in noted]) if losses is None else losses
        finite = torch.isfinite(losses).tolist()
        if not all(finite):
            first = finite.index(False)
            step, _, clips = noted[first]
            self._stop(trainer, step, f"the loss is {float(losses[first])}", clips)

    def _check_limits(self, trainer: Trainer, clips: Tensor) -> None:
        for name, limit in self.limits.items():
            value = trainer.callback_metrics.get(name)
            if limit is None or value is None:
                continue
            self._missed[name] = self._missed[name] + 1 if float(value) < limit else 0
            if self._missed[name] >= self.patience:
                reason = f"{name} is {float(value):.3g}, below {limit:g}, for the {self.patience}th time in a row"
                self._stop(trainer, trainer.global_step, reason, clips)

    def _stop(self, trainer: Trainer, step: int, reason: str, clips: Tensor) -> None:
        where = Path(trainer.default_root_dir) / STOPPED
        record = {"step": step, "rank": trainer.global_rank, "reason": reason, "clips": clips.tolist()}
        atomic_write_text(where, json.dumps(record) + "\n")
        raise StoppedError(
            f"stopped after step {step}: {reason}. {where} names the clips of that batch; the last checkpoint is from "
            "before. Change the configuration (a lower learning rate or weight), or switch the check off under guard"
        )
