"""Temporal contrast: margins between cosines, by hand and against a loop."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.vjepa.objectives.samples import Pair, build, mean_by_loop, one_place, sample
from vjepa.errors import UserError
from vjepa.grid import Grid
from vjepa.latents import Latents
from vjepa.objectives.temporal_contrast import TemporalContrast


def turning(now: float, later: float, length: float = 1.0) -> Latents:
    """One pair whose token has these cosines with its target now and one time step later."""
    targets, tokens = torch.zeros(1, 2, 24), torch.zeros(1, 2, 24)
    for time, cosine in enumerate((now, later)):
        targets[0, time, :2] = torch.tensor([cosine, math.sqrt(1 - cosine**2)])
    tokens[..., 0] = length
    return replace(one_place([(0.0, 0.0)]), targets=targets, context=(tokens.requires_grad_(),))


@pytest.mark.parametrize(
    ("now", "later", "margin", "loss"),
    [(1.0, 0.6, 0.5, 0.1), (1.0, 0.4, 0.5, 0.0), (0.2, 0.6, 0.5, 0.9), (0.8, 0.6, 0.0, 0.0), (-1.0, 1.0, 0.5, 2.5)],
)
def test_the_present_target_should_be_nearer_by_the_margin(
    now: float, later: float, margin: float, loss: float
) -> None:
    assert build(TemporalContrast(margin=margin))(turning(now, later)).loss.item() == pytest.approx(loss, abs=1e-6)


def test_only_directions_matter() -> None:
    losses = [build(TemporalContrast())(turning(0.9, 0.7, length)).loss.item() for length in (0.01, 1.0, 500.0)]
    assert losses == pytest.approx([0.3] * 3, rel=1e-5)


def test_a_still_clip_costs_the_margin() -> None:
    latents = one_place([(1.0, 1.0, 1.0)], [(2.0, -3.0, 5.0)])
    assert build(TemporalContrast(margin=0.25))(latents).loss.item() == pytest.approx(0.25)


def test_a_satisfied_pair_is_left_alone() -> None:
    latents = turning(0.9, 0.1)
    build(TemporalContrast())(latents).loss.backward()
    assert latents.context[0].grad is not None
    assert not latents.context[0].grad.any()


@pytest.mark.parametrize("grid", [Grid(4, 3, 3), Grid(3, 2, 5)], ids=str)
def test_equals_a_loop(grid: Grid) -> None:
    def lacking(tokens: Tensor, targets: Tensor, pair: Pair) -> Tensor:
        token = tokens[pair.place]
        now, later = (
            token @ targets[index] / (token.norm() * targets[index].norm()) for index in (pair.now, pair.next)
        )
        return (0.3 - now + later).clamp(min=0)

    latents = sample(grid)
    term = build(TemporalContrast(margin=0.3))
    assert term(latents).loss.item() == pytest.approx(mean_by_loop(latents, lacking), rel=1e-5)


def test_a_negative_margin_is_refused() -> None:
    with pytest.raises(UserError, match=r"objectives\.temporal_contrast\.margin -0\.1: expected .* >= 0"):
        TemporalContrast(margin=-0.1)
