"""One training step as the trainer takes it, for timing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import torch
from torch import Tensor

from vjepa.module import VideoJEPA

TOTAL_STEPS = 1000
PHASES = ("forward", "backward", "optimizer")


class Stepper:
    """Trains a model by one step a call, as the trainer does.

    Args:
        model: on its device.
        frames: (B, F, H_px, W_px, 3) uint8, the same at every step.
        precision: ``bf16`` autocast or ``float32``.
        shared: another whose encoder, predictor, teacher and optimizer state are used in place of the model's own, so
            that any number of cases fits in memory. Both must read the predictor alike, as all cases here do.
    """

    def __init__(self, model: VideoJEPA, frames: Tensor, precision: str, shared: Stepper | None = None) -> None:
        if shared is not None:
            model.encoder, model.predictor = shared.model.encoder, shared.model.predictor
            if model.target.teacher is not None:
                model.target.teacher = shared.model.target.teacher
        model.total_steps = TOTAL_STEPS
        self.model: VideoJEPA = model.train()
        self.frames = frames
        self.autocast = torch.autocast(frames.device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
        self.optimizer = model.configure_optimizers()
        if shared is not None:
            # Moments belong to a parameter: the same dictionaries serve every optimizer that holds it.
            self.optimizer.state = shared.optimizer.state

    def __call__(self, step: int) -> None:
        """Forward, backward, optimizer and teacher; ``step`` sets the masks."""
        for _ in self.phases(step):
            pass

    def phases(self, step: int) -> Iterator[str]:
        """Take a step and pause at the end of each of ``PHASES``; the teacher belongs to the last."""
        model = self.model
        with self.autocast:
            loss = model.loss(model.latents(self.frames, step=step)).total
        yield "forward"
        loss.backward()
        yield "backward"
        model.optimizer_options.apply(self.optimizer, step + 1, TOTAL_STEPS)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        model.target.update(model.encoder, step, TOTAL_STEPS)
        yield "optimizer"
