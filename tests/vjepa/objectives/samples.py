"""Latents for the tests of objectives: random ones, and tiny ones written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vjepa.grid import Grid, gather_tokens
from vjepa.latents import Latents, Masks
from vjepa.layout import Layout
from vjepa.masking import BlockMask, MultiBlockMasker
from vjepa.objectives import REGISTRY, ModelFacts, Objective

WIDTH = 6
GRID = Grid(4, 3, 3)

CASES: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in REGISTRY} | {
    "action_mse": ("action", {"error": "mse"}),
    "kinematic_context": ("kinematic", {"tokens": "context"}),
    "kinematic_acceleration": ("kinematic", {"form": "acceleration"}),
    "spectral_mse": ("spectral", {"error": "mse"}),
}
"""Terms under test: every registered one with its defaults, and options that change what a term reads."""


def layout(kind: Any = "within_level", width: int = WIDTH) -> Layout:
    return Layout(kind, width, 0.5)


def build(
    term: Any, kind: Any = "within_level", reading: Any = "as_described", temperature: float | None = None,
    width: int = WIDTH,
) -> Any:  # fmt: skip
    """Settle a term's switches and make its heads, always with the same weights, in a model that suits it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        term.build(ModelFacts(4 * width, layout(kind, width), reading, temperature, term.needs_target_gradient))
    return term


def sample(
    grid: Grid = GRID, batch: int = 3, num_masks: int = 2, kind: Any = "within_level", seed: int = 0,
    masks: Masks | None = None, learned_targets: bool = False,
) -> Latents:  # fmt: skip
    """Random latents whose tokens are leaves with a gradient; targets have none unless asked, as those of a teacher."""
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
        grid=grid, layout=layout(kind), masks=masks, targets=tokens(grid.num_tokens).requires_grad_(learned_targets),
        context=leaves(masks.context), predicted=leaves(masks.target), predicted_context=leaves(masks.context),
        step=90, total_steps=100,
    )  # fmt: skip


def leaves(latents: Latents) -> tuple[Tensor, ...]:
    """What an objective may send gradients to."""
    targets = (latents.targets,) if latents.targets.requires_grad else ()
    return (*latents.context, *latents.predicted, *latents.predicted_context, *targets)


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


def reordered(latents: Latents, seed: int = 0) -> Latents:
    """The same tokens of each mask in another order, another one in every sample."""
    generator = torch.Generator().manual_seed(seed)
    orders = [
        tuple(torch.rand(rows.shape, generator=generator).argsort(dim=1) for rows in indices)
        for indices in (latents.masks.context, latents.masks.target)
    ]

    def pick(tokens: Sequence[Tensor], order: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return tuple(gather_tokens(rows.detach(), places) for rows, places in zip(tokens, order, strict=True))

    masks = Masks(*(
        tuple(rows.gather(1, places) for rows, places in zip(indices, order, strict=True))
        for indices, order in zip((latents.masks.context, latents.masks.target), orders, strict=True)
    ))  # fmt: skip
    visible, hidden = orders
    return replace(
        latents, masks=masks, context=pick(latents.context, visible), predicted=pick(latents.predicted, hidden),
        predicted_context=pick(latents.predicted_context, visible),
    )  # fmt: skip


def without_pairs(batch: int = 3) -> Latents:
    """Context on even time steps only: no token has its successor in the context."""
    steps = torch.arange(GRID.num_tokens).view(GRID.time, -1)
    even, odd = (steps[first::2].flatten().expand(batch, -1) for first in (0, 1))
    return sample(batch=batch, masks=Masks((even, even), (odd, odd)))


def one_place(targets: Sequence[Sequence[float]], context: Sequence[Sequence[float]] | None = None) -> Latents:
    """A grid of one place that is context all the time: values by sample and time step, the same in every channel."""
    levels = [torch.tensor(values)[..., None].repeat(1, 1, 4 * WIDTH) for values in (targets, context or targets)]
    batch, steps = levels[0].shape[:2]
    indices = torch.arange(steps).expand(batch, -1)
    latents = sample(Grid(steps, 1, 1), batch, kind="whole", masks=Masks((indices,), (indices,)))
    return replace(latents, targets=levels[0], context=(levels[1].requires_grad_(),))


class Pair(NamedTuple):
    """A valid pair: sample, positions of both tokens within the context, and their indices in the grid."""

    sample: int
    place: int
    successor: int
    now: int
    next: int


def pairs_of(latents: Latents, mask: int) -> Iterator[Pair]:
    """The valid pairs of a mask, found one by one."""
    for b, row in enumerate(latents.masks.context[mask].tolist()):
        for place, token in enumerate(row):
            later = token + latents.grid.frame_tokens
            if later in row:
                yield Pair(b, place, row.index(later), token, later)


def mean_by_loop(latents: Latents, value: Callable[[Tensor, Tensor, Pair], Tensor]) -> float:
    """Mean over pairs, then over masks, in double precision.

    Args:
        latents: with at least one pair in each mask.
        value: of one pair, given the context tokens (K, D) and the targets (N, D) of its sample.
    """
    means = []
    for mask, tokens in enumerate(latents.context):
        every = [
            value(tokens[p.sample].double(), latents.targets[p.sample].double(), p) for p in pairs_of(latents, mask)
        ]
        means.append(torch.stack(every).mean())
    return torch.stack(means).mean().item()


def own_targets(latents: Latents) -> tuple[Tensor, ...]:
    """Targets at the context tokens of each mask."""
    return tuple(gather_tokens(latents.targets, rows) for rows in latents.masks.context)


def perfect_prediction(latents: Latents, term: Objective) -> Latents:
    """Predictions that equal their targets."""
    predicted = tuple(latents.target_tokens(mask) for mask in range(len(latents.masks)))
    return replace(latents, predicted=predicted, predicted_context=own_targets(latents))


def perfect_context(latents: Latents, term: Objective) -> Latents:
    """Context tokens that equal their targets."""
    return replace(latents, context=own_targets(latents))


def moving_along(latents: Latents, term: Objective) -> Latents:
    """Context tokens that differ from their targets by a constant of each place."""
    places = tuple(rows % latents.grid.frame_tokens for rows in latents.masks.context)
    context = tuple(own + at[..., None] for own, at in zip(own_targets(latents), places, strict=True))
    return replace(latents, context=context)


def swinging(latents: Latents, term: Objective) -> Latents:
    """Targets that change sign at every time step, and context tokens that follow them."""
    time = torch.arange(latents.grid.num_tokens) // latents.grid.frame_tokens
    swung = replace(latents, targets=(1.0 - 2.0 * (time % 2))[None, :, None].expand_as(latents.targets))
    return perfect_context(swung, term)


def still(latents: Latents, term: Objective) -> Latents:
    """Context tokens and targets that are all alike."""
    one = latents.context[0][:1, :1].detach()
    context = tuple(one.expand_as(tokens) for tokens in latents.context)
    return replace(latents, context=context, targets=one.expand_as(latents.targets))


def still_without_energy(latents: Latents, term: Any) -> Latents:
    """Tokens that are all alike, and an energy that is flat."""
    with torch.no_grad():
        for parameter in term.energy.parameters():
            parameter.zero_()
    return still(latents, term)


def say_one(head: Any) -> None:
    """Make a head answer one to everything."""
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        head[-1].bias.fill_(1.0)


def predicted_motion(latents: Latents, term: Any) -> Latents:
    """Targets that grow by one each time step, and a head that says so."""
    say_one(term.dynamics_head)
    time = torch.arange(latents.grid.num_tokens) // latents.grid.frame_tokens
    return replace(latents, targets=time[None, :, None].float().expand_as(latents.targets))


def predicted_brightening(latents: Latents, term: Any) -> Latents:
    """Pixels that grow by one each time step, and a head that says so."""
    say_one(term.action_head)
    time = torch.arange(latents.pixels.shape[2]) // (latents.pixels.shape[2] // latents.grid.time)
    return replace(latents, pixels=time[:, None, None].float().expand_as(latents.pixels))


OPTIMA = {
    "prediction": perfect_prediction,
    "context": perfect_prediction,
    "action": predicted_brightening,
    "delta": moving_along,
    "hamiltonian": still_without_energy,
    "hard_region": perfect_prediction,
    "kinematic": still,
    "latent_dynamics": predicted_motion,
    "orthogonality": still,
    "spectral": perfect_context,
    "static": still,
    "temporal_contrast": swinging,
    "velocity_gate": still,
}
"""For each term whose minimum is known to be zero: how to reach it."""

NO_KNOWN_ZERO = {"sigreg"}
"""Terms of which no finite sample is known to give zero; any other is in OPTIMA."""

MOVE_TARGETS = {"prediction", "context", "hard_region", "kinematic", "kinematic_acceleration"}
"""Cases that send a gradient to targets which can take one; the study detaches them in any other."""

TIMELESS = {"prediction", "context", "hard_region", "sigreg"}
"""Cases that apply to a clip of one time step; any other must be zero there."""

PAIRLESS = TIMELESS | {"orthogonality", "kinematic", "kinematic_acceleration"}
"""Cases that need no token whose successor is context too; any other must be zero without one."""
