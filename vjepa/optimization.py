"""Parameter groups, learning rate and weight decay of the study."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from vjepa.errors import UserError
from vjepa.schedules import cosine, warmup_cosine


@dataclass(frozen=True)
class OptimizerOptions:
    """AdamW with warm-up and cosine schedules, all in optimizer steps.

    Args:
        lr: peak learning rate.
        lr_start: learning rate before the first step.
        lr_final: learning rate at the last step; the study's equals ``lr``, so it never anneals.
        warmup_steps: steps of linear warm-up.
        weight_decay, weight_decay_final: at the first and at the last step, cosine in between; biases and 1-D
            parameters are never decayed.
        betas, eps: of AdamW.
    """

    lr: float = 6e-4
    lr_start: float = 1e-4
    lr_final: float = 6e-4
    warmup_steps: int = 300
    weight_decay: float = 0.04
    weight_decay_final: float = 0.04
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        for name in ("lr", "lr_start", "lr_final", "warmup_steps", "weight_decay", "weight_decay_final"):
            if getattr(self, name) < 0:
                raise UserError(f"model.optimizer.{name} {getattr(self, name)}: expected a number >= 0")

    def build(self, modules: Iterable[nn.Module]) -> torch.optim.AdamW:
        """Make the optimizer over ``modules`` in order; the first two are encoder and predictor."""
        return torch.optim.AdamW(
            parameter_groups(modules), lr=self.lr_start, betas=self.betas, eps=self.eps, fused=True
        )

    def apply(self, optimizer: torch.optim.Optimizer, step: int, total_steps: int) -> float:
        """Set learning rate and weight decay for optimizer step ``step`` (counted from 1); return the rate."""
        rate = warmup_cosine(
            step, start=self.lr_start, peak=self.lr, final=self.lr_final, warmup=self.warmup_steps, total=total_steps
        )
        decay = cosine(step, start=self.weight_decay, final=self.weight_decay_final, total=total_steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
            group["weight_decay"] = decay if group["decays"] else 0.0
        return rate


def parameter_groups(modules: Iterable[nn.Module]) -> list[dict[str, Any]]:
    """Group parameters as the study does.

    Not decayed: names with "bias" and 1-D tensors. Order: encoder decayed, predictor decayed, encoder not decayed,
    predictor not decayed, then both groups of each further module that has parameters.

    Returns:
        Groups with ``params``, ``weight_decay`` and ``decays``. Frozen parameters are listed, and never updated.
    """
    split = []
    for module in modules:
        named = list(module.named_parameters())
        plain = [p for name, p in named if "bias" in name or p.ndim == 1]
        chosen = {id(p) for p in plain}
        split.append(([p for _, p in named if id(p) not in chosen], plain))
    ordered = [(p, True) for p, _ in split[:2]] + [(p, False) for _, p in split[:2]]
    for decayed, plain in split[2:]:
        ordered += [(decayed, True), (plain, False)]
    return [{"params": p, "weight_decay": 0.0, "decays": decays} for p, decays in ordered if p]
