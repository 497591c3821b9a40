"""Action prediction: a head tells, from a token, how the colour of its patch is about to change."""

from __future__ import annotations

from typing import Literal, final, get_args

from torch import Tensor

from vjepa.errors import UserError, unknown_name
from vjepa.grid import Grid, gather_tokens, pool_to_grid
from vjepa.latents import Latents
from vjepa.objectives.base import FACTORIZED, ModelFacts, Objective, Term, head, mean_over_pairs
from vjepa.pairs import Pairs

NUM_COLOURS = 3

ActionError = Literal["l1", "mse"]
ActionInputs = Literal["whole", "dynamics"]


@final
class ActionPrediction(Objective):
    """Action conditioning (AC; FAC if the layout is factorized).

    With a(t) the mean normalised RGB of the pixels of a token at t+1 minus that at t,
    L = mean over valid pairs and colours of |g(z(t)) - a(t)|, then over masks, where g = Linear-GELU-Linear from z
    (or z_dyn alone, if the layout is factorized) to 3 colours.

    Args:
        weight: coefficient; the study uses 1.0.
        hidden: hidden width of g, >= 1.
        inputs: ``whole`` z or ``dynamics`` (z_dyn); None: dynamics exactly if the layout is factorized.
        error: ``l1``, or ``mse``, which the study's comment names but nothing computes.

    Source: the study's action objective; golden cases ac, ac_hw, fac. Colours are in units of the ImageNet standard
        deviation. A tile spans all frames of its tubelet, so motion within a tubelet cancels.
    """

    name = "action"

    def __init__(
        self,
        weight: float = 1.0,
        hidden: int = 256,
        inputs: ActionInputs | None = None,
        error: ActionError = "l1",
    ) -> None:
        super().__init__(weight)
        if hidden < 1:
            raise UserError(f"objectives.action.hidden {hidden}: expected at least 1")
        if error not in get_args(ActionError):
            raise unknown_name("objectives.action.error", error, get_args(ActionError))
        if inputs is not None and inputs not in get_args(ActionInputs):
            raise unknown_name("objectives.action.inputs", inputs, get_args(ActionInputs))
        self.hidden = hidden
        self.inputs = inputs
        self.error = error
        if inputs == "dynamics":
            self.layouts = FACTORIZED

    def build(self, facts: ModelFacts) -> None:
        """Make the head."""
        super().build(facts)
        if self.inputs is None:
            self.inputs = "dynamics" if facts.layout.is_factorized else "whole"
        in_width = facts.layout.dyn_width if self.inputs == "dynamics" else facts.latent_width
        self.action_head = head(in_width, self.hidden, NUM_COLOURS)

    def forward(self, latents: Latents) -> Term:
        """Zero that still touches the head where no mask has a valid pair."""
        colours = tile_colours(latents.pixels, latents.grid)

        def error(mask: int, pairs: Pairs) -> Tensor:
            tokens = latents.context[mask]
            if self.inputs == "dynamics":
                tokens = latents.layout.split(tokens)[1]
            change = gather_tokens(colours, pairs.next) - gather_tokens(colours, pairs.now)  # (B, K, 3)
            missed = self.action_head(tokens).float() - change
            return (missed.abs() if self.error == "l1" else missed.square()).mean(dim=-1)

        return Term(mean_over_pairs(latents, error))


def tile_colours(pixels: Tensor, grid: Grid) -> Tensor:
    """Mean colour of the tile of each token: (B, 3, F, H_px, W_px) -> (B, N, 3)."""
    return pool_to_grid(pixels.float(), grid).flatten(2).transpose(1, 2)
