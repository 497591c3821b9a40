"""Static appearance and orthogonality, by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.vjepa.objectives.samples import build, layout, sample
from vjepa.grid import Grid
from vjepa.latents import Latents, Masks
from vjepa.objectives.factorization import Orthogonality, StaticAppearance


def of_context(tokens: torch.Tensor, kind: Any = "by_level") -> Latents:
    """One clip of K time steps and one patch, all of it context: (B, K, 8), two channels a level."""
    batch, count, _ = tokens.shape
    indices = torch.arange(count).expand(batch, -1)
    latents = sample(Grid(count, 1, 1), batch, masks=Masks((indices,), (indices,)))
    return replace(latents, layout=layout(kind, 2), context=(tokens,))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("by_level", (4 + 0) / 2 / 2), ("within_level", (2 + 0) / 2 / 2)],
)
def test_static_is_the_mean_change_of_appearance(kind: Any, expected: float) -> None:
    tokens = torch.zeros(1, 3, 8)
    tokens[0, 1:, :4] = 2.0  # the two shallow levels change once by 2: all of z_app, or half of it
    tokens[0, 1:, 5] = 9.0  # a second channel of a deep level: z_dyn either way
    assert build(StaticAppearance(), kind, width=2)(of_context(tokens, kind)).loss.item() == pytest.approx(expected)


def test_static_by_level_never_reaches_the_deep_levels() -> None:
    tokens = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    StaticAppearance()(of_context(tokens)).loss.backward()
    assert tokens.grad is not None
    assert tokens.grad[..., :4].abs().sum() > 0
    assert tokens.grad[..., 4:].abs().sum() == 0


def test_orthogonality_by_hand() -> None:
    # Two tokens, one channel of each half moves: C has one entry, 2 * 1 * 2 / (2 - 1) = 4, of 4 x 4.
    tokens = torch.zeros(1, 2, 8)
    tokens[0, :, 0] = torch.tensor([6.0, 4.0])
    tokens[0, :, 7] = torch.tensor([-2.0, 2.0])
    assert build(Orthogonality(), "by_level", width=2)(of_context(tokens)).loss.item() == pytest.approx(16 / 16)


def test_orthogonality_pools_the_batch() -> None:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(3, 4, 8, generator=generator)
    covariance = np.cov(tokens.flatten(0, 1).double().numpy().T)[:4, 4:]
    loss = build(Orthogonality(), "by_level", width=2)(of_context(tokens)).loss
    assert loss.item() == pytest.approx((covariance**2).mean(), rel=1e-5)


def test_uncorrelated_halves_cost_nothing() -> None:
    tokens = torch.zeros(1, 4, 8)
    tokens[0, :, 0] = torch.tensor([1.0, 1.0, -1.0, -1.0])
    tokens[0, :, 4] = torch.tensor([1.0, -1.0, 1.0, -1.0])
    assert build(Orthogonality(), "by_level", width=2)(of_context(tokens)).loss.item() == 0.0


@pytest.mark.parametrize(("reading", "is_exact"), [("as_described", True), ("as_released", False)])
def test_precision_under_autocast_follows_the_reading(reading: Any, is_exact: bool) -> None:
    latents = sample(kind="by_level")
    term = build(Orthogonality(), "by_level", reading)
    plain = term(latents).loss
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = term(latents).loss
    assert torch.equal(plain, mixed) is is_exact
    torch.testing.assert_close(plain, mixed, rtol=0.02, atol=0)


def test_one_token_has_no_covariance() -> None:
    latents = sample(batch=1, masks=Masks((torch.tensor([[3]]),), (torch.tensor([[4]]),)))
    assert build(Orthogonality())(latents).loss.item() == 0.0
