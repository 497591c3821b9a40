"""The two base terms, by hand and against plain loops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.conftest import Golden
from tests.vjepa.objectives.samples import WIDTH, build, sample
from vjepa.errors import UserError
from vjepa.grid import Grid
from vjepa.latents import Latents, Masks
from vjepa.objectives.prediction import ContextPrediction, TargetPrediction, mask_distance


def constant(latents: Latents, field: str, values: tuple[float, ...]) -> Latents:
    """Targets of zero and tokens of one value per mask."""
    tokens = tuple(torch.full_like(t, v) for t, v in zip(getattr(latents, field), values, strict=True))
    return replace(latents, targets=torch.zeros_like(latents.targets), **{field: tokens})


@pytest.mark.parametrize(("exponent", "expected"), [(1.0, 2.0), (2.0, (0.5 + 4.5) / 2)])
def test_masks_weigh_the_same_whatever_their_size(exponent: float, expected: float) -> None:
    masks = Masks((torch.tensor([[0]]), torch.tensor([[0]])), (torch.tensor([[1]]), torch.tensor([[1, 2, 3]])))
    latents = constant(sample(Grid(4, 1, 1), 1, masks=masks), "predicted", (1.0, 3.0))
    assert TargetPrediction()(replace(latents, exponent=exponent)).loss.item() == pytest.approx(expected)


@pytest.mark.parametrize(("weighted", "expected"), [(True, (2**-0.5 + 1) / 2), (False, 1.0)])
def test_context_error_counts_by_distance(weighted: bool, expected: float) -> None:
    # A row of three tokens: the target is the last, so the context lies at distances 2 and 1.
    masks = Masks((torch.tensor([[0, 1]]),), (torch.tensor([[2]]),))
    latents = constant(sample(Grid(1, 1, 3), 1, masks=masks), "predicted_context", (1.0,))
    term = build(ContextPrediction(distance_weighted=weighted))
    assert term(latents).loss.item() == pytest.approx(expected)


@pytest.mark.parametrize(("name", "grid"), [("small", Grid(4, 3, 3)), ("full", Grid(8, 14, 14))])
def test_mask_distance_equals_the_study(golden: Golden, name: str, grid: Grid) -> None:
    case = golden("mask_distance")
    distance = mask_distance(case[f"{name}_masks_enc"], case[f"{name}_masks_pred"], grid)
    torch.testing.assert_close(distance, case[f"{name}_out"], rtol=1e-6, atol=0)


@pytest.mark.parametrize("grid", [Grid(4, 3, 5), Grid(1, 1, 60), Grid(60, 1, 1), Grid(3, 20, 1)], ids=str)
@pytest.mark.parametrize("batch", [1, 3])
def test_mask_distance_equals_all_pairs(grid: Grid, batch: int) -> None:
    generator = torch.Generator().manual_seed(0)
    order = torch.stack([torch.randperm(60, generator=generator) for _ in range(batch)])
    context, target = order[:, :20], order[:, 30:35]
    index = torch.arange(60)
    places = torch.stack((index // grid.frame_tokens, index % grid.frame_tokens // grid.width, index % grid.width), 1)
    expected = torch.cdist(places[context].double(), places[target].double()).amin(dim=-1).sqrt()
    torch.testing.assert_close(mask_distance(context, target, grid), expected.float(), rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("reading", "step", "total", "factor"),
    [
        ("as_described", 50, 100, 0.0), ("as_described", 75, 100, 0.5), ("as_described", 100, 100, 1.0),
        ("as_released", 5_000, 5_000, 0.0), ("as_released", 22_500, 60_000, 0.5), ("as_released", 30_000, 60_000, 1.0),
    ],
)  # fmt: skip
def test_ramp_follows_the_reading(reading: Any, step: int, total: int, factor: float) -> None:
    assert build(ContextPrediction(), reading=reading).factor(step, total) == pytest.approx(factor)


def test_both_ramps_agree_on_the_run_of_the_study() -> None:
    described, released = (build(ContextPrediction(), reading=r) for r in ("as_described", "as_released"))
    steps = range(0, 30_001, 500)
    assert [described.factor(s, 30_000) for s in steps] == [released.factor(s, 30_000) for s in steps]


def test_an_empty_ramp_is_always_on() -> None:
    assert build(ContextPrediction(ramp_fractions=(0.0, 0.0))).factor(0, 100) == 1.0


@pytest.mark.parametrize("options", [{"ramp_fractions": (1.0, 0.5)}, {"ramp_steps": (-1, 5)}], ids=str)
def test_a_ramp_that_runs_backwards_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=rf"objectives.context.{next(iter(options))} .*0 <= first <= last"):
        ContextPrediction(**options)


def test_targets_that_learn_get_a_gradient() -> None:
    latents = sample()
    targets = latents.targets.requires_grad_()
    (TargetPrediction()(latents).loss + build(ContextPrediction())(latents).loss).backward()
    assert targets.grad is not None
    assert targets.shape[-1] == 4 * WIDTH
    assert targets.grad.abs().sum() > 0
