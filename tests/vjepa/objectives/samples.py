"""Latents for the tests of objectives: random ones, and tiny ones written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from vjepa.grid import Grid, gather_tokens
from vjepa.latents import Latents, Masks
from vjepa.layout import Layout
from vjepa.masking import BlockMask, MultiBlockMasker
from vjepa.objectives import ModelFacts, Objective

WIDTH = 6
GRID = Grid(4, 3, 3)


def layout(kind: Any = "within_level", width: int = WIDTH) -> Layout:
    return Layout(kind, width, 0.5)


def build(
    term: Any, kind: Any = "within_level", reading: Any = "as_described", temperature: float | None = None,
    width: int = WIDTH,
) -> Any:  # fmt: skip
    """Settle a term's switches and make its heads, always with the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        term.build(ModelFacts(4 * width, layout(kind, width), reading, temperature))
    return term


def sample(
    grid: Grid = GRID, batch: int = 3, num_masks: int = 2, kind: Any = "within_level", seed: int = 0,
    masks: Masks | None = None,
) -> Latents:  # fmt: skip
    """Random latents whose tokens are leaves with a gradient; targets have none, as those of a teacher."""
    generator = torch.Generator().manual_seed(seed)
    if masks is None:
        blocks = MultiBlockMasker((BlockMask(2, (0.25, 0.25)),) * num_masks)
        masks = blocks(grid, batch, step=seed, seed=seed)

    def tokens(count: int) -> Tensor:
        return torch.randn(batch, count, 4 * WIDTH, generator=generator)

    def leaves(indices: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return tuple(tokens(rows.shape[1]).requires_grad_() for rows in indices)

    return Latents(
        pixels=torch.randn(batch, 3, 2 * grid.time, 4 * grid.height, 4 * grid.width, generator=generator),
        grid=grid, layout=layout(kind), masks=masks, targets=tokens(grid.num_tokens),
        context=leaves(masks.context), predicted=leaves(masks.target), predicted_context=leaves(masks.context),
        step=90, total_steps=100,
    )  # fmt: skip


def leaves(latents: Latents) -> tuple[Tensor, ...]:
    """What an objective may send gradients to."""
    return (*latents.context, *latents.predicted, *latents.predicted_context)


def permuted(latents: Latents, order: Tensor) -> Latents:
    """The same samples in another order."""
    masks = replace(latents.masks, **{
        name: tuple(rows[order] for rows in getattr(latents.masks, name)) for name in ("context", "target")
    })  # fmt: skip
    tokens: dict[str, Any] = {
        name: tuple(rows.detach()[order] for rows in getattr(latents, name))
        for name in ("context", "predicted", "predicted_context")
    }
    return replace(latents, masks=masks, pixels=latents.pixels[order], targets=latents.targets[order], **tokens)


def without_pairs(batch: int = 3) -> Latents:
    """Context on even time steps only: no token has its successor in the context."""
    steps = torch.arange(GRID.num_tokens).view(GRID.time, -1)
    even, odd = (steps[first::2].flatten().expand(batch, -1) for first in (0, 1))
    return sample(batch=batch, masks=Masks((even, even), (odd, odd)))


def perfect_prediction(latents: Latents, term: Objective) -> Latents:
    """Predictions that equal their targets."""
    own = tuple(gather_tokens(latents.targets, rows) for rows in latents.masks.context)
    return replace(
        latents,
        predicted=tuple(latents.target_tokens(mask) for mask in range(len(latents.masks))),
        predicted_context=own,
    )


def still_appearance(latents: Latents, term: Objective) -> Latents:
    """Context tokens that are all alike."""
    return replace(latents, context=tuple(tokens[:1, :1].expand_as(tokens) for tokens in latents.context))


def predicted_motion(latents: Latents, term: Any) -> Latents:
    """Targets that grow by one each time step, and a head that says so."""
    with torch.no_grad():
        for parameter in term.dynamics_head.parameters():
            parameter.zero_()
        term.dynamics_head[-1].bias.fill_(1.0)
    time = torch.arange(latents.grid.num_tokens) // latents.grid.frame_tokens
    return replace(latents, targets=time[None, :, None].float().expand_as(latents.targets))


OPTIMA = {
    "prediction": perfect_prediction,
    "context": perfect_prediction,
    "hard_region": perfect_prediction,
    "static": still_appearance,
    "orthogonality": still_appearance,
    "latent_dynamics": predicted_motion,
}
"""For each term whose minimum is known to be zero: how to reach it."""

TIMELESS = {"prediction", "context", "hard_region"}
"""Terms that apply to a clip of one time step; any other must be zero there."""

PAIRLESS = TIMELESS | {"orthogonality"}
"""Terms that need no token whose successor is context too; any other must be zero without one."""
