"""The target slot: which network supplies the latents to predict, and which weights evaluation reads."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from vjepa.errors import UserError
from vjepa.layout import NUM_LEVELS
from vjepa.nn import Encoder
from vjepa.objectives import normalize_levels
from vjepa.reading import Reading, resolve
from vjepa.schedules import linear

Weights = Literal["teacher", "online", "init"]


@dataclass(frozen=True)
class TargetOptions:
    """Choice of the target network.

    Args:
        kind: ``ema`` is an exponential moving average of the online encoder; ``self`` is the online encoder.
        momentum: EMA momentum at the first and at the last step, each in [0, 1]; linear in between.
        stop_gradient: only for ``self``: cut the gradient through the targets. The study does not.
        evaluate: weights that evaluation reads: ``teacher``, ``online``, or ``init``, the initial weights (what the
            released code evaluates when the EMA is off); None: teacher with EMA, else by the run's reading.
    """

    kind: Literal["ema", "self"] = "ema"
    momentum: tuple[float, float] = (0.99925, 0.99925)
    stop_gradient: bool = False
    evaluate: Weights | None = None

    @property
    def carries_gradient(self) -> bool:
        """Whether the loss can move the targets."""
        return self.kind == "self" and not self.stop_gradient

    def __post_init__(self) -> None:
        if not all(0 <= m <= 1 for m in self.momentum):
            raise UserError(f"model.target.momentum {self.momentum}: expected two numbers in [0, 1]")
        if self.kind == "self" and self.evaluate == "teacher":
            raise UserError(
                "model.target.evaluate is teacher, but model.target.kind is self, which has no teacher: "
                "choose online or init, or kind ema"
            )


class Target(nn.Module):
    """Supplies normalised target latents; owns the EMA teacher where there is one.

    Args:
        options: see ``TargetOptions``.
        encoder: online encoder, copied for the teacher.
        reading: decides ``evaluate`` where it is open.
    """

    def __init__(self, options: TargetOptions, encoder: Encoder, reading: Reading) -> None:
        super().__init__()
        self.options = options
        self.evaluate: Weights = "teacher"
        if options.kind == "self" or options.evaluate is not None:
            self.evaluate = resolve("target.evaluate", options.evaluate, reading)
        self.teacher: Encoder | None = None
        if options.kind == "ema":
            self.teacher = copy.deepcopy(encoder).requires_grad_(False)

    def forward(self, online: Encoder, pixels: Tensor) -> Tensor:
        """Targets of an unmasked clip (B, 3, F, H_px, W_px): each level normalised without affine, (B, N, D)."""
        network = online if self.teacher is None else self.teacher
        with torch.set_grad_enabled(self.options.carries_gradient and torch.is_grad_enabled()):
            return normalize_levels(network.levels(pixels), NUM_LEVELS)

    @torch.no_grad()
    def update(self, online: Encoder, step: int, total_steps: int) -> None:
        """Move the teacher after optimizer step ``step`` (from 0): t <- m t + (1 - m) o, parameter by parameter."""
        if self.teacher is None:
            return
        start, final = self.options.momentum
        momentum = linear(step, start=start, final=final, total=total_steps)
        torch._foreach_lerp_(list(self.teacher.parameters()), list(online.parameters()), 1.0 - momentum)
