"""Kinematic smoothness: latents should move slowly, or evenly, from one time step to the next."""

from __future__ import annotations

import math
from typing import Literal, final, get_args

import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from vjepa.errors import UserError, unknown_name
from vjepa.grid import gather_tokens
from vjepa.latents import Latents
from vjepa.layout import NUM_LEVELS, Layout
from vjepa.objectives.base import ModelFacts, Objective, Term, masked_mean, mean_over_masks
from vjepa.pairs import Pairs

Form = Literal["l1", "huber", "acceleration"]
Tokens = Literal["targets", "context"]
Split = Literal["by_level", "within_level"]

HUBER_DELTA = 0.1
ANNEAL_EPOCHS = 100


@final
class KinematicSmoothness(Objective):
    """Kinematic smoothness.

    With x(t) the chosen channels of a token, L is the mean over tokens and channels of |x(t+1) - x(t)| (``l1``), of
    its Huber function with delta 0.1 (``huber``), or of |x(t+2) - 2 x(t+1) + x(t)| (``acceleration``).

    Args:
        weight: coefficient; the study uses 1.0 and 0.1.
        form: ``l1``, ``huber`` or ``acceleration``.
        tokens: ``targets``: all tokens of the targets, which must carry a gradient; ``context``: context tokens whose
            successor (for ``acceleration`` also the successor's) is context too, flat within a mask, then mean over
            masks. The latter works beside a teacher.
        share: of the channels, in (0, 1]; the first ones are taken.
        anneal: whether the weight falls to 0 along half a cosine, in 100 equal stairs over the run.
        split: what the first channels are: ``by_level`` int(D * share) of the concatenation, so the shallow levels;
            ``within_level`` int(E * share) of each level.

    Raises:
        UserError: an option out of range; at ``build``, a share that leaves no channel, or targets without gradient.

    Source: the study's kinematic objective; golden cases kin_*. Differs: zero on clips too short for the difference,
        where the released code gives NaN; ``tokens: context`` is new.
    """

    name = "kinematic"

    def __init__(
        self,
        weight: float = 1.0,
        form: Form = "l1",
        tokens: Tokens = "targets",
        share: float = 1.0,
        anneal: bool = False,
        split: Split = "by_level",
    ) -> None:
        super().__init__(weight)
        for option, value, choice in (("form", form, Form), ("tokens", tokens, Tokens), ("split", split, Split)):
            if value not in get_args(choice):
                raise unknown_name(f"objectives.kinematic.{option}", value, get_args(choice))
        if not 0 < share <= 1:
            raise UserError(f"objectives.kinematic.share {share}: expected a number in (0, 1]")
        self.form, self.tokens, self.share, self.anneal, self.split = form, tokens, share, anneal, split
        self.needs_target_gradient = tokens == "targets"
        self.division: Layout | None = None

    def build(self, facts: ModelFacts) -> None:
        """Settle which channels are read."""
        super().build(facts)
        width = facts.latent_width // NUM_LEVELS
        total = facts.latent_width if self.split == "by_level" else width
        if int(total * self.share) < 1:
            raise UserError(
                f"objectives.kinematic.share {self.share} of {total} channels leaves none: "
                f"expected at least {1 / total:.2g}"
            )
        if self.share < 1:
            self.division = Layout(self.split, width, self.share)

    def factor(self, step: int, total_steps: int) -> float:
        """1, or the stair of the cosine."""
        if not self.anneal:
            return 1.0
        epoch = min(ANNEAL_EPOCHS, ANNEAL_EPOCHS * step // max(1, total_steps))
        return 0.5 * (1.0 + math.cos(math.pi * epoch / ANNEAL_EPOCHS))

    def forward(self, latents: Latents) -> Term:
        """Zero where no token has the successors that the form needs."""
        if self.tokens == "targets":
            steps = self._channels(latents.targets).unflatten(1, (latents.grid.time, -1))  # (B, T, H*W, .)
            change = self._cost(steps.diff(n=2 if self.form == "acceleration" else 1, dim=1))
            return Term(change.sum() / max(1, change.numel()))
        each = [self._context_mean(self._channels(z), p) for z, p in zip(latents.context, latents.pairs, strict=True)]
        means, contributes = zip(*each, strict=True)
        return Term(mean_over_masks(means, contributes))

    def _context_mean(self, tokens: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor]:
        later, valid = pairs.successor, pairs.valid
        change = gather_tokens(tokens, later) - tokens
        if self.form == "acceleration":
            # The change of the successor is its own successor's affair; it counts only where that is context too.
            change = gather_tokens(change, later) - change
            valid = valid & valid.gather(1, later)
        return masked_mean(self._cost(change).mean(dim=-1), valid)

    def _channels(self, tokens: Tensor) -> Tensor:
        chosen = tokens if self.division is None else self.division.split(tokens)[0]
        return chosen.float()

    def _cost(self, change: Tensor) -> Tensor:
        if self.form == "huber":
            return huber_loss(change, torch.zeros_like(change), reduction="none", delta=HUBER_DELTA)
        return change.abs()
