"""A request to stop is answered with a checkpoint: nothing that was trained is lost when a machine is taken away."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from experiments.stop_signals import STOP_SIGNALS

_AGREE_EVERY = 10


class Preemption(Callback):
    """On SIGTERM or SIGUSR1, finish the optimizer step, write the checkpoint that training continues from, and stop.

    Processes agree on the step at which they stop, every tenth one, so that none waits for another at every step. A
    signal that this process was told to ignore stays ignored.

    Args:
        checkpoint: where a continued run looks for its checkpoint.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self.asked = False
        self._last_step = 0
        self._before: dict[signal.Signals, Any] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen before anything is written."""
        self.asked = False
        self._listen()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen again, should the trainer have begun to."""
        self._last_step = trainer.global_step
        self._listen()

    def _listen(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for signum in STOP_SIGNALS:
            if signal.getsignal(signum) not in (signal.SIG_IGN, self._note):
                self._before.setdefault(signum, signal.signal(signum, self._note))

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self.asked = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop between optimizer steps.

        Raises:
            KeyboardInterrupt: as after Ctrl-C, but with a checkpoint of this very step.
        """
        if trainer.global_step == self._last_step:  # between micro-batches
            return
        self._last_step = trainer.global_step
        if trainer.world_size > 1:
            if trainer.global_step % _AGREE_EVERY:
                return
            self.asked = trainer.strategy.reduce_boolean_decision(self.asked, all=False)
        if self.asked and trainer.global_step < trainer.max_steps:
            trainer.save_checkpoint(self.checkpoint)
            raise KeyboardInterrupt

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leave signals as they were."""
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._before.clear()
