"""Hamiltonian dynamics: a learned energy whose equations of motion carry a token to its target one step later."""

from __future__ import annotations

import math
from typing import Literal, final, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from vjepa.errors import UserError, unknown_name
from vjepa.grid import gather_tokens
from vjepa.latents import Latents
from vjepa.layout import NUM_LEVELS, Layout
from vjepa.nn.linear import Linear, affine
from vjepa.objectives.base import ModelFacts, Objective, Term, mean_over_pairs
from vjepa.pairs import Pairs

Split = Literal["by_level", "within_level"]


@final
class HamiltonianDynamics(Objective):
    """Hamiltonian dynamics.

    A token is position and momentum, z = (q, p), and H an MLP of them. One step, q' = q + dt dH/dp(q, p) and then
    p' = p - dt dH/dq(q', p), predicts the target at t + 1: over valid pairs and channels, then over masks,
    L = mean |q' - sg h_q(t+1)|^e / e + mean |p' - sg h_p(t+1)|^e / e, with e the run's loss exponent. The step is
    symplectic Euler where H is a sum of a function of q and one of p; for any H its energy drifts with dt^2 only.

    Args:
        weight: coefficient; the study uses 1.0.
        dt: time step, > 0; the study uses 0.1.
        hidden: width of the two hidden layers of H; the study uses 256.
        split: which half of the channels is q: ``by_level`` the first D/2, so the two shallow levels (as in the
            study); ``within_level`` the first E/2 of each level.

    Raises:
        UserError: an option out of range; at ``build``, levels of odd width that ``within_level`` cannot halve.

    Source: the study's Hamiltonian objective; golden case hamiltonian. Differs: the gradient of H is written out in
        place of a nested autograd pass, so that the term can be evaluated without gradients; it is taken at context
        tokens alone, which are all that count, and in float32 under autocast.
    """

    name = "hamiltonian"

    def __init__(self, weight: float = 1.0, dt: float = 0.1, hidden: int = 256, split: Split = "by_level") -> None:
        super().__init__(weight)
        if dt <= 0:
            raise UserError(f"objectives.hamiltonian.dt {dt}: expected a number > 0")
        if hidden < 1:
            raise UserError(f"objectives.hamiltonian.hidden {hidden}: expected at least 1")
        if split not in get_args(Split):
            raise unknown_name("objectives.hamiltonian.split", split, get_args(Split))
        self.dt, self.hidden, self.split = dt, hidden, split

    def build(self, facts: ModelFacts) -> None:
        """Make the energy."""
        super().build(facts)
        width = facts.latent_width // NUM_LEVELS
        if self.split == "within_level" and width % 2:
            raise UserError(
                f"objectives.hamiltonian.split within_level: levels of {width} channels have no two halves; "
                "choose by_level, or a preset of even width"
            )
        self.division = Layout(self.split, width, 0.5)
        self.energy = nn.Sequential(
            Linear(facts.latent_width, self.hidden), nn.GELU(),
            Linear(self.hidden, self.hidden), nn.GELU(),
            Linear(self.hidden, 1),
        )  # fmt: skip
        # Only differences of energy matter: no gradient could ever reach this constant.
        self._layers()[-1].bias.requires_grad_(False)

    def forward(self, latents: Latents) -> Term:
        """Zero that still touches the energy where no mask has a valid pair."""
        goal_q, goal_p = self.division.split(latents.targets.detach())

        def error(mask: int, pairs: Pairs) -> Tensor:
            q, p = self.step(*self.division.split(latents.context[mask]))
            missed_q = latents.error(q, gather_tokens(goal_q, pairs.next)).mean(dim=-1)
            return missed_q + latents.error(p, gather_tokens(goal_p, pairs.next)).mean(dim=-1)

        return Term(mean_over_pairs(latents, error))

    def step(self, q: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        """Move along the equations of motion, q first.

        Args:
            q, p: (..., D/2).

        Returns:
            q and p one time step later, in the precision of the energy's weights.
        """
        dtype = self._layers()[0].weight.dtype
        q, p = q.to(dtype), p.to(dtype)
        with torch.autocast(q.device.type, enabled=False):
            q = q + self.dt * self.slopes(q, p)[1]
            return q, p - self.dt * self.slopes(q, p)[0]

    def slopes(self, q: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        """dH/dq and dH/dp at (q, p), each (..., D/2): the chain rule through the three layers."""
        first, second, last = self._layers()
        inner = first(torch.cat((q, p), dim=-1))
        outer = second(gelu(inner))
        # Back from the scalar, through each layer's weight and each GELU.
        back = affine(gelu_slope(outer) * last.weight.squeeze(0), second.weight.T) * gelu_slope(inner)
        slope_q, slope_p = affine(back, first.weight.T).chunk(2, dim=-1)
        return slope_q, slope_p

    def _layers(self) -> list[nn.Linear]:
        return [layer for layer in self.energy if isinstance(layer, nn.Linear)]


def gelu_slope(x: Tensor) -> Tensor:
    """Derivative of the exact GELU x * Phi(x): Phi(x) + x * phi(x), with the normal distribution and its density."""
    return 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0))) + x * torch.exp(-0.5 * x.square()) / math.sqrt(2.0 * math.pi)
