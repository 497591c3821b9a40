"""The small pieces that objectives share."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import layer_norm

from tests.vjepa.objectives.samples import sample
from vjepa.objectives import Objective, normalize_levels
from vjepa.objectives.base import head, masked_mean, mean_over_masks


def test_masked_mean() -> None:
    values = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    mean, some = masked_mean(values, torch.tensor([[True, False, True], [False, False, True]]))
    assert mean.item() == pytest.approx(10 / 3)
    assert some.item() == 1.0
    mean, some = masked_mean(values, torch.zeros(2, 3, dtype=torch.bool))
    assert (mean.item(), some.item()) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("contributes", "expected"), [([1.0, 1.0, 1.0], 3.0), ([1.0, 0.0, 1.0], 2.0), ([0.0, 0.0, 0.0], 0.0)]
)
def test_mean_over_masks_that_contribute(contributes: list[float], expected: float) -> None:
    means = [torch.tensor(value) for value in (1.0, 5.0, 3.0)]
    assert mean_over_masks(means, [torch.tensor(value) for value in contributes]).item() == expected


def test_levels_are_normalised_apart_and_in_float32() -> None:
    levels = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 9)
    normed = normalize_levels(levels.bfloat16(), 4)
    assert normed.dtype == torch.float32
    for part, level in zip(normed.split(2, dim=-1), levels.bfloat16().float().split(2, dim=-1), strict=True):
        torch.testing.assert_close(part, layer_norm(level, (2,)))


def test_head_is_linear_gelu_linear() -> None:
    net = head(3, 5, 7)
    assert [type(layer).__name__ for layer in net] == ["Linear", "GELU", "Linear"]
    assert [tuple(p.shape) for p in net.parameters()] == [(5, 3), (5,), (7, 5), (7,)]


def test_an_objective_without_forward_says_so() -> None:
    class Empty(Objective):
        name = "empty"

    with pytest.raises(TypeError, match="Empty defines no forward"):
        Empty()(sample())
