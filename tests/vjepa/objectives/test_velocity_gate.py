"""Velocity gate: which places are open, and what they cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.vjepa.objectives.samples import Pair, build, mean_by_loop, sample
from vjepa.errors import UserError
from vjepa.grid import Grid
from vjepa.latents import Latents, Masks
from vjepa.objectives.velocity_gate import VelocityGate, slow_places


def four_places(*speeds: tuple[float, float, float, float]) -> Latents:
    """Two time steps of a row of four places, all context; tokens change by one, targets by these speeds."""
    indices = torch.arange(8).expand(len(speeds), -1)
    latents = sample(Grid(2, 1, 4), len(speeds), kind="whole", masks=Masks((indices,), (indices,)))
    targets = torch.zeros(len(speeds), 8, 24)
    targets[:, 4:, 0] = torch.tensor(speeds)
    tokens = torch.zeros(len(speeds), 8, 24)
    tokens[:, 4:] = 1.0
    return replace(latents, targets=targets, context=(tokens.requires_grad_(),))


@pytest.mark.parametrize(("percentile", "share"), [(0.0, 0.25), (0.3, 0.25), (0.5, 0.5), (0.67, 0.75), (1.0, 1.0)])
def test_the_slow_share_is_held_still(percentile: float, share: float) -> None:
    # Quantiles of (0, 1, 2, 3) by linear interpolation are 0, 0.9, 1.5, 2.01 and 3; closed places count as zeros.
    latents = four_places((3.0, 0.0, 2.0, 1.0))
    assert build(VelocityGate(percentile=percentile))(latents).loss.item() == pytest.approx(share)


def test_closed_places_feel_nothing() -> None:
    latents = four_places((3.0, 0.0, 2.0, 1.0))
    build(VelocityGate())(latents).loss.backward()
    gradient = latents.context[0].grad
    assert gradient is not None
    assert gradient.abs().sum(dim=-1).view(2, 4).gt(0).tolist() == [[False, True, False, True]] * 2


def test_each_clip_and_time_step_has_its_own_threshold() -> None:
    latents = four_places((3.0, 0.0, 2.0, 1.0), (300.0, 100.0, 400.0, 200.0))
    opened = slow_places(latents.targets, latents.grid, 0.5).view(2, 2, 4)
    assert opened[:, 0].tolist() == [[False, True, False, True], [False, True, False, True]]
    assert opened[:, 1].all(), "no pair starts at the last time step"


def test_a_still_clip_is_open_everywhere() -> None:
    latents = four_places((0.0, 0.0, 0.0, 0.0))
    assert build(VelocityGate(percentile=0.0))(latents).loss.item() == pytest.approx(1.0)


@pytest.mark.parametrize("grid", [Grid(4, 3, 3), Grid(3, 2, 5)], ids=str)
@pytest.mark.parametrize("percentile", [0.2, 0.5, 0.9])
def test_equals_a_loop(grid: Grid, percentile: float) -> None:
    def cost(tokens: Tensor, targets: Tensor, pair: Pair) -> Tensor:
        frames = targets.view(grid.time, grid.frame_tokens, -1)
        time, place = divmod(pair.now, grid.frame_tokens)
        speeds = (frames[time + 1] - frames[time]).norm(dim=-1)
        change = (tokens[pair.successor] - tokens[pair.place]).abs().mean()
        return change * bool(speeds[place] <= np.quantile(speeds.numpy(), percentile))

    latents = sample(grid)
    term = build(VelocityGate(percentile=percentile))
    assert term(latents).loss.item() == pytest.approx(mean_by_loop(latents, cost), rel=1e-5)


@pytest.mark.parametrize("percentile", [-0.1, 1.5, float("nan")])
def test_a_percentile_that_is_no_share_is_refused(percentile: float) -> None:
    with pytest.raises(UserError, match=rf"objectives\.velocity_gate\.percentile {percentile}: expected .* \[0, 1\]"):
        VelocityGate(percentile=percentile)
