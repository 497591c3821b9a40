"""Spectral prediction: pure oscillations by hand, and a direct Fourier sum."""

from __future__ import annotations

import cmath
import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.vjepa.objectives.samples import build, one_place, sample
from vjepa.errors import UserError
from vjepa.grid import Grid
from vjepa.latents import Latents, Masks
from vjepa.objectives.spectral import SpectralPrediction


@pytest.mark.parametrize(
    ("error", "difference", "loss"),
    [
        # Four steps have the frequencies 0, 1, 2 with weights 0.1, 0.55, 1; amplitude 4c at the ends, 2c in between.
        ("l1", (3.0, 3.0, 3.0, 3.0), 0.1 * 12 / 3),
        ("l1", (3.0, 0.0, -3.0, 0.0), 0.55 * 6 / 3),
        ("l1", (3.0, -3.0, 3.0, -3.0), 12 / 3),
        ("mse", (3.0, 3.0, 3.0, 3.0), (0.1 * 12) ** 2 / 3),
        ("mse", (3.0, -3.0, 3.0, -3.0), 12**2 / 3),
    ],
)
def test_fast_oscillations_weigh_most(error: Any, difference: tuple[float, ...], loss: float) -> None:
    targets = (1.0, -2.0, 0.5, 4.0)
    latents = one_place([targets], [tuple(h + d for h, d in zip(targets, difference, strict=True))])
    assert build(SpectralPrediction(error=error))(latents).loss.item() == pytest.approx(loss, rel=1e-5)


def two_places() -> Latents:
    """Five time steps of two places; the context misses the second place at the last step in the second mask."""
    everything = torch.arange(10).expand(2, -1)
    masks = Masks((everything, everything[:, :9]), (everything, everything[:, 9:]))
    return sample(Grid(5, 1, 2), 2, masks=masks)


def by_direct_sum(latents: Latents, places: tuple[tuple[int, ...], ...], error: str) -> float:
    """The loss from the definition, given the complete places of each mask."""
    steps, frame = latents.grid.time, latents.grid.frame_tokens
    means = []
    for tokens, complete in zip(latents.context, places, strict=True):
        values = []
        for place in complete:
            line = (tokens[:, place::frame] - latents.targets[:, place::frame]).detach().to(torch.complex128)
            for j in range(steps // 2 + 1):
                weight = 0.1 + 0.9 * j / (steps // 2)
                waves = torch.tensor([cmath.exp(-2j * math.pi * j * t / steps) for t in range(steps)])
                magnitude = weight * (waves[None, :, None] * line).sum(dim=1).abs()
                values.append((magnitude if error == "l1" else magnitude**2).mean())
        means.append(torch.stack(values).mean())
    return torch.stack(means).mean().item()


@pytest.mark.parametrize("error", ["l1", "mse"])
def test_equals_a_direct_fourier_sum_over_complete_places(error: Any) -> None:
    latents = two_places()
    output = build(SpectralPrediction(error=error))(latents)
    assert output.loss.item() == pytest.approx(by_direct_sum(latents, ((0, 1), (0,)), error), rel=1e-5)
    assert output.logs["complete"].item() == pytest.approx((10 / 10 + 5 / 9) / 2)


def test_incomplete_places_feel_nothing() -> None:
    latents = two_places()
    build(SpectralPrediction())(latents).loss.backward()
    gradient = latents.context[1].grad
    assert gradient is not None
    assert gradient[:, 0::2].abs().sum(dim=-1).gt(0).all()
    assert not gradient[:, 1::2].any()


def test_a_mask_without_complete_places_does_not_count() -> None:
    latents = two_places()
    early = latents.masks.context[0][:, :6]
    masks = replace(latents.masks, context=(latents.masks.context[0], early))
    partial = replace(latents, masks=masks, context=(latents.context[0], latents.context[1][:, :6]))
    alone = replace(
        latents, masks=Masks(*(rows[:1] for rows in (masks.context, masks.target))), context=partial.context[:1]
    )
    term = build(SpectralPrediction())
    assert term(partial).loss.item() == pytest.approx(term(alone).loss.item())


@pytest.mark.parametrize(("steps", "applies"), [(2, False), (3, False), (4, True), (5, True)])
def test_fewer_than_four_steps_have_no_spectrum(steps: int, applies: bool) -> None:
    latents = one_place([(0.0,) * steps], [(1.0,) * steps])
    loss = build(SpectralPrediction())(latents).loss
    assert (loss.item() > 0) == applies
    loss.backward()
    assert latents.context[0].grad is not None
    assert bool(latents.context[0].grad.any()) == applies


def test_an_unknown_error_is_refused() -> None:
    with pytest.raises(UserError, match=r"objectives\.spectral\.error 'mae'.*expected one of l1, mse"):
        SpectralPrediction(error="mae")  # type: ignore[arg-type]
