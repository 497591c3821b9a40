"""What an objective is: a term of the loss that owns its heads.

Shapes: B batch, K context tokens, D latent width; M masks a clip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from vjepa.errors import UserError
from vjepa.latents import Latents
from vjepa.layout import Layout, LayoutKind
from vjepa.nn.linear import Linear
from vjepa.pairs import Pairs
from vjepa.reading import Reading

FACTORIZED: frozenset[LayoutKind] = frozenset({"by_level", "within_level"})
ANY_LAYOUT: frozenset[LayoutKind] = FACTORIZED | {"whole"}

AcrossRanks = Literal["mean", "per_rank", "global"]
"""How a term behaves on several processes whose masks are equally large: ``mean`` over ranks equals one process with
all samples; ``per_rank`` statistics are those of one process's samples, as in the study; ``global`` ones are gathered
over all ranks."""


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
        targets_have_gradient: whether the targets are the encoder itself without stop-gradient.
    """

    latent_width: int
    layout: Layout
    reading: Reading = "as_described"
    hard_region_temperature: float | None = None
    targets_have_gradient: bool = False


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
    layouts: frozenset[LayoutKind] = ANY_LAYOUT
    """Layouts the term can work with; an option may narrow it for an instance."""
    needs_target_gradient: bool = False
    """Whether the term acts through the targets, so that a teacher would leave it inert."""
    across_ranks: AcrossRanks = "mean"
    """See ``AcrossRanks``."""

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
        if facts.layout.kind not in self.layouts:
            choices = " or ".join(sorted(self.layouts))
            raise UserError(
                f"objectives.{self.name} needs layout {choices}, but model.layout is {facts.layout.kind}: "
                f"set model.layout to {'factorized' if self.layouts == FACTORIZED else choices}, "
                f"or objectives.{self.name} to null"
            )
        if self.needs_target_gradient and not facts.targets_have_gradient:
            raise UserError(
                f"objectives.{self.name} acts on the targets, but model.target gives them no gradient: "
                "set model.target.kind to self and stop_gradient to false, or let the term read the context tokens"
            )

    def factor(self, step: int, total_steps: int) -> float:
        """Schedule on top of the weight, in [0, 1]."""
        return 1.0

    def forward(self, latents: Latents) -> Term:
        """Compute the unweighted term; zero that still touches every parameter where it cannot apply."""
        raise TypeError(f"{type(self).__name__} defines no forward")


def head(in_width: int, hidden: int, out_width: int) -> nn.Sequential:
    """Linear, GELU, Linear with PyTorch's default initialisation: the study's auxiliary head."""
    return nn.Sequential(Linear(in_width, hidden), nn.GELU(), Linear(hidden, out_width))


def masked_mean(values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of the valid entries, and 1 if there is any, else 0 and 0; nothing waits for the device.

    Args:
        values: (B, K).
        valid: (B, K) bool.
    """
    count = valid.sum()
    return (values * valid).sum() / count.clamp(min=1), (count > 0).to(values.dtype)


def mean_over_masks(means: Sequence[Tensor], contributes: Sequence[Tensor]) -> Tensor:
    """Mean of the per-mask means over the masks that contributed; 0 where none did."""
    weights = torch.stack(tuple(contributes))
    return (torch.stack(tuple(means)) * weights).sum() / weights.sum().clamp(min=1)


def mean_over_pairs(latents: Latents, values: Callable[[int, Pairs], Tensor]) -> Tensor:
    """Flat mean over the valid pairs of each mask, then over the masks that have one; 0 where none has.

    Args:
        latents: of the step.
        values: given the number of a mask and its pairs, one value a context token (B, K), finite everywhere.
    """
    each = [masked_mean(values(mask, pairs), pairs.valid) for mask, pairs in enumerate(latents.pairs)]
    means, contributes = zip(*each, strict=True)
    return mean_over_masks(means, contributes)


def check_layouts(terms: Iterable[Objective]) -> None:
    """Refuse terms that no layout suits together.

    Raises:
        UserError: two terms need different layouts; both are named.
    """
    for one, other in combinations(terms, 2):
        if not one.layouts & other.layouts:
            wants = [
                f"objectives.{term.name} needs layout {' or '.join(sorted(term.layouts))}" for term in (one, other)
            ]
            raise UserError(f"{wants[0]}, but {wants[1]}: set one of the two to null")


def normalize_levels(levels: Tensor, num_levels: int) -> Tensor:
    """Layer norm without affine of each level of (..., D), eps 1e-5, in float32."""
    each = levels.unflatten(-1, (num_levels, -1)).float()
    return layer_norm(each, each.shape[-1:]).flatten(-2)
