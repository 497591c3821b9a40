"""SIGReg: along random directions the tokens should be distributed as a standard normal (LeJEPA)."""

from __future__ import annotations

from typing import Any, Literal, final, get_args

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable

from vjepa.errors import UserError, unknown_name
from vjepa.latents import Latents
from vjepa.objectives.base import Objective, Term

Scale = Literal["n", "1"]

KNOTS = tuple(3.0 * j / 16 for j in range(17))
"""Points t of the characteristic function, over half of its symmetric range."""


@final
class SketchedIsotropy(Objective):
    """Sketched isotropic Gaussian regularisation (SIGReg).

    L = mean over directions of scale * sum_t w(t) [(mean cos(t x) - phi(t))^2 + (mean sin(t x))^2], the Epps-Pulley
    statistic of x = row . direction: the rows are all context tokens of all masks, n of them on all ranks together,
    along each of S random unit directions; phi(t) = exp(-t^2 / 2), and w is phi times the trapezoid rule on [-3, 3].

    Args:
        weight: coefficient; the study uses 1.0.
        num_slices: S, directions drawn anew at every step, >= 1.
        scale: factor of the statistic: ``n`` rows, as in the study, which makes the term grow with the batch and
            outweigh the others; or ``1`` (quoted in YAML). The log ``per_row`` is the value at ``1``.

    Raises:
        UserError: an option out of range.

    Source: LeJEPA (arXiv 2511.08544) as the study uses it; golden cases sigreg, and sigreg.npz. Directions come from
        the step's number alone, so all ranks agree and a continued run draws the same. Differs: means over ranks
        weigh each row alike, where the study weighs each rank alike (the same for equal counts); the step's number
        replaces a counter of calls, so accumulated micro-batches share their directions; float32 under autocast.
        Without gradients, so in validation, ranks do not wait for one another and each takes its own rows.
    """

    name = "sigreg"
    across_ranks = "global"

    def __init__(self, weight: float = 1.0, num_slices: int = 1024, scale: Scale = "n") -> None:
        super().__init__(weight)
        if num_slices < 1:
            raise UserError(f"objectives.sigreg.num_slices {num_slices}: expected at least 1")
        if scale not in get_args(Scale):
            raise unknown_name("objectives.sigreg.scale", str(scale), get_args(Scale))
        self.num_slices = num_slices
        self.scale = scale

    def forward(self, latents: Latents) -> Term:
        """Applies to every clip, also to one of one time step."""
        rows = torch.cat([tokens.flatten(0, 1) for tokens in latents.context]).float()  # (n, D)
        with torch.autocast(rows.device.type, enabled=False):
            sketch = rows @ directions(rows.shape[1], self.num_slices, latents.step, rows.device)  # (n, S)
        sums = _WaveSums.apply(sketch)  # (2, 17, S)
        count = sums.new_full((1,), float(len(rows)))
        if _spans_ranks():
            gathered = _SumOverRanks.apply(torch.cat((sums.flatten(), count)))
            sums, count = gathered[:-1].view_as(sums), gathered[-1:].detach()
        per_row = epps_pulley(sums / count).mean()
        loss = per_row * count.squeeze(0) if self.scale == "n" else per_row
        return Term(loss, {"per_row": per_row.detach()})


def directions(width: int, count: int, step: int, device: torch.device) -> Tensor:
    """Random unit columns (width, count), fixed by the step and the kind of device."""
    generator = torch.Generator(device).manual_seed(step)
    drawn = torch.randn(width, count, generator=generator, device=device)
    return drawn / drawn.norm(dim=0)


def epps_pulley(waves: Tensor) -> Tensor:
    """Epps-Pulley statistic of a standard normal, without its factor n.

    Args:
        waves: (2, 17, S), means of cos(t x) and of sin(t x) at each knot t and direction.

    Returns:
        (S,), >= 0.
    """
    knots = torch.linspace(KNOTS[0], KNOTS[-1], len(KNOTS), dtype=waves.dtype, device=waves.device)
    normal = torch.exp(-0.5 * knots.square())
    cosine, sine = waves
    squares = (cosine - normal[:, None]).square() + sine.square()
    # The integrand is even: both halves of [-3, 3] in one, by the trapezoid rule.
    return 2.0 * torch.trapezoid(squares * normal[:, None], dx=KNOTS[1], dim=0)


class _WaveSums(torch.autograd.Function):
    """Sums over rows of cos(t x) and sin(t x), (n, S) -> (2, 17, S).

    The backward pass computes the waves again, so that nothing of size n * S * 17 is ever held.
    """

    @staticmethod
    def forward(ctx: Any, sketch: Tensor) -> Tensor:
        ctx.save_for_backward(sketch)
        sums = [torch.stack((wave.cos().sum(dim=0), wave.sin().sum(dim=0))) for wave in (t * sketch for t in KNOTS)]
        return torch.stack(sums, dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        (sketch,) = ctx.saved_tensors
        total = torch.zeros_like(sketch)
        for t, (cosine, sine) in zip(KNOTS, gradient.unbind(dim=1), strict=True):
            wave = t * sketch
            total.addcmul_(wave.cos(), sine, value=t).addcmul_(wave.sin(), cosine, value=-t)
        return total


class _SumOverRanks(torch.autograd.Function):
    """Sum over ranks of a tensor that enters the same loss on every rank.

    The gradient is multiplied by the number of ranks, because DDP will divide it by that number while each rank holds
    only its own rows' share. It needs no communication.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient * dist.get_world_size()


def _spans_ranks() -> bool:
    """Whether to gather: not without gradients, because held-out shards may differ in their number of batches."""
    return torch.is_grad_enabled() and dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
