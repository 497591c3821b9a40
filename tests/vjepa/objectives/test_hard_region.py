"""Hard-region weighting, by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from tests.vjepa.objectives.samples import sample
from vjepa.errors import UserError
from vjepa.grid import Grid
from vjepa.latents import Latents, Masks
from vjepa.objectives.hard_region import HardRegionWeighting, hard_weights
from vjepa.objectives.prediction import TargetPrediction


def with_errors(*errors: list[float]) -> Latents:
    """Targets of zero and predictions whose error is given for each sample and token."""
    rows = torch.tensor(errors)
    batch, count = rows.shape
    context, target = torch.zeros(batch, 1, dtype=torch.long), torch.arange(1, count + 1).expand(batch, -1)
    latents = sample(Grid(1, 1, count + 1), batch, masks=Masks((context,), (target,)))
    predicted = rows[..., None].expand(-1, -1, latents.targets.shape[-1])
    return replace(latents, targets=torch.zeros_like(latents.targets), predicted=(predicted.clone(),))


def test_two_tokens_by_hand() -> None:
    # softmax(0, ln 3) = (1/4, 3/4), so the weights are 1/2 and 3/2.
    term = HardRegionWeighting()(with_errors([0.0, math.log(3)]))
    assert term.loss.item() == pytest.approx(0.75 * math.log(3))
    assert term.logs["ess"].item() == pytest.approx(1 / ((0.25 + 2.25) / 2))


def test_weights_are_shared_within_a_sample_only() -> None:
    together = HardRegionWeighting()(with_errors([0.0, math.log(3)], [5.0, 5.0])).loss
    assert together.item() == pytest.approx((0.75 * math.log(3) + 5.0) / 2)


def test_weights_have_mean_one_and_sharpen_as_the_temperature_falls() -> None:
    error = torch.tensor([[0.0, 0.5, 1.0]])
    for temperature in (0.01, 0.1, 1.0, 100.0):
        assert hard_weights(error, temperature).mean().item() == pytest.approx(1.0)
    torch.testing.assert_close(hard_weights(error, 1e-3), torch.tensor([[0.0, 0.0, 3.0]]))
    torch.testing.assert_close(hard_weights(error, 1e6), torch.ones(1, 3), atol=1e-5, rtol=0)


def test_equal_errors_make_it_the_prediction_term() -> None:
    latents = with_errors([2.0, 2.0, 2.0])
    term = HardRegionWeighting()(latents)
    assert term.loss.item() == pytest.approx(TargetPrediction()(latents).loss.item())
    assert term.logs["ess"].item() == pytest.approx(1.0)


def test_weights_carry_no_gradient() -> None:
    latents = with_errors([0.1, math.log(3) + 0.1])
    predicted = latents.predicted[0].requires_grad_()
    HardRegionWeighting()(latents).loss.backward()
    # d loss / d e_k = w_k / K; with gradient through the softmax it would differ.
    assert predicted.grad is not None
    torch.testing.assert_close(predicted.grad.sum(dim=-1), torch.tensor([[0.25, 0.75]]))


def test_one_target_token_is_skipped() -> None:
    assert HardRegionWeighting()(with_errors([4.0])).loss.item() == 0.0


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_temperature_must_be_positive(temperature: float) -> None:
    with pytest.raises(UserError, match=rf"objectives.hard_region.temperature {temperature}"):
        HardRegionWeighting(temperature=temperature)
