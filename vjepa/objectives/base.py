"""What an objective is: a term of the loss that owns its heads.

Shapes: B batch, K context tokens, D latent width; M masks a clip.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from vjepa.errors import UserError
from vjepa.latents import Latents
from vjepa.layout import Layout
from vjepa.reading import Reading


@dataclass(frozen=True)
class Term:
    """What an objective returns.

    Args:
        loss: 0-d float32, without its weight.
        logs: detached 0-d tensors for the logger, keyed by a short name.
    """

    loss: Tensor
    logs: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelFacts:
    """What an objective may know about the model and its sibling terms when it builds its heads.

    Args:
        latent_width: D.
        layout: division of the channels.
        reading: the run's reading, which decides switches left open.
        hard_region_temperature: temperature of hard-region weighting, None where that term is off.
    """

    latent_width: int
    layout: Layout
    reading: Reading = "as_described"
    hard_region_temperature: float | None = None


class Objective(nn.Module):
    """A loss term with a weight. Subclasses are registered under ``name`` and become a field of the config.

    Args:
        weight: coefficient in the total loss, >= 0. It is applied by the LightningModule, not here.

    Raises:
        UserError: the weight is negative.
    """

    name: ClassVar[str]
    reads: ClassVar[frozenset[str]] = frozenset()
    """Which predictor outputs the term reads: ``predicted``, ``predicted_context``; unread heads are frozen."""
    needs_factorized_layout: ClassVar[bool] = False

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        if weight < 0:
            raise UserError(f"objectives.{self.name}.weight {weight}: expected a number >= 0")
        self.weight = weight

    def build(self, facts: ModelFacts) -> None:
        """Make the heads and settle the switches; called once, before the optimizer is made.

        Raises:
            UserError: the term needs a slot that is not chosen.
        """
        if self.needs_factorized_layout and not facts.layout.is_factorized:
            raise UserError(
                f"objectives.{self.name} needs a factorized layout, but layout is {facts.layout.kind!r}: "
                f"set model.layout to factorized, or objectives.{self.name} to null"
            )

    def factor(self, step: int, total_steps: int) -> float:
        """Schedule on top of the weight, in [0, 1]."""
        return 1.0

    def forward(self, latents: Latents) -> Term:
        """Compute the unweighted term; zero that still touches every parameter where it cannot apply."""
        raise TypeError(f"{type(self).__name__} defines no forward")


def head(in_width: int, hidden: int, out_width: int) -> nn.Sequential:
    """Linear, GELU, Linear with PyTorch's default initialisation: the study's auxiliary head."""
    return nn.Sequential(nn.Linear(in_width, hidden), nn.GELU(), nn.Linear(hidden, out_width))


def masked_mean(values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of the valid entries, and 1 if there is any, else 0 and 0; nothing waits for the device.

    Args:
        values: (B, K).
        valid: (B, K) bool.
    """
    count = valid.sum()
    return (values * valid).sum() / count.clamp(min=1), (count > 0).to(values.dtype)


def mean_over_masks(means: list[Tensor], contributes: list[Tensor]) -> Tensor:
    """Mean of the per-mask means over the masks that contributed; 0 where none did."""
    weights = torch.stack(contributes)
    return (torch.stack(means) * weights).sum() / weights.sum().clamp(min=1)


def normalize_levels(levels: Tensor, num_levels: int) -> Tensor:
    """Layer norm without affine of each level of (..., D), eps 1e-5, in float32."""
    each = levels.unflatten(-1, (num_levels, -1)).float()
    return layer_norm(each, each.shape[-1:]).flatten(-2)
