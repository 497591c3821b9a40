"""Rotations by a known angle, displacements of a known length, and the trap of the shared mean."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.vjepa.metrics.features import noise, walsh
from vjepa.metrics import centred_drift, lipschitz_ratio, spread, temporal_gradient_drift


def turned(features: Tensor, angle: float) -> Tensor:
    """Turned within the plane of each pair of channels."""
    x, y = features[..., 0::2], features[..., 1::2]
    c, s = math.cos(angle), math.sin(angle)
    return torch.stack([c * x - s * y, s * x + c * y], -1).flatten(-2)


@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 2, math.pi])
def test_a_turn_about_the_mean(angle: float) -> None:
    centred = noise(40, 6)
    centred -= centred.mean(0)
    mean = torch.arange(6.0) * 10
    found = centred_drift(centred + mean, 3 * turned(centred, angle) + mean)
    torch.testing.assert_close(found, torch.full((40,), 1 - math.cos(angle), dtype=torch.float64))


def test_raw_cosine_calls_unrelated_features_stable() -> None:
    clean, unrelated = 30 + noise(500, 192), 30 + noise(500, 192, seed=1)
    assert F.cosine_similarity(clean, unrelated).mean() > 0.998
    assert centred_drift(clean, unrelated).mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_chunks_and_storage_do_not_matter(dtype: torch.dtype) -> None:
    clean, corrupted = noise(50, 8).to(dtype), noise(50, 8, seed=1).to(dtype)
    expected = centred_drift(clean.double(), corrupted.double())
    assert expected.dtype == torch.float64
    torch.testing.assert_close(centred_drift(clean, corrupted, chunk=7), expected, rtol=1e-12, atol=1e-12)


def test_a_collapsed_representation_is_not_stable_but_undefined() -> None:
    constant = torch.full((19, 8), 0.1, dtype=torch.float64)  # whose mean is not 0.1, by rounding
    assert spread(constant) == 0
    assert centred_drift(constant, constant).isnan().all()
    assert lipschitz_ratio(constant, constant, torch.ones(19), 1.0).isnan().all()


def test_a_clip_moved_to_the_mean_has_lost_its_direction() -> None:
    clean = walsh(3)
    corrupted = clean.clone()
    corrupted[2] = 0
    assert centred_drift(clean, corrupted).tolist() == pytest.approx([0, 0, 1, 0, 0, 0, 0, 0])


def test_spread_is_the_root_of_the_total_variance() -> None:
    assert spread(walsh(4) * 2 + 5).item() == pytest.approx(2 * math.sqrt(15))


def test_lipschitz_ratio_of_known_steps() -> None:
    clean = walsh(2)  # 4 clips, spread sqrt(3)
    corrupted = clean + torch.tensor([[0.5, 0, 0], [0, 1, 0], [0, 0, 2], [0, 0, 0]])
    change = torch.tensor([10.0, 10, 10, 0])
    found = lipschitz_ratio(clean, corrupted, change, input_spread=20.0)
    expected = torch.tensor([0.5, 1, 2, torch.nan], dtype=torch.float64) / math.sqrt(3) / 0.5
    torch.testing.assert_close(found, expected, equal_nan=True)
    scaled = lipschitz_ratio(7 * clean, 7 * corrupted, 3 * change, input_spread=60.0)
    torch.testing.assert_close(scaled, expected, equal_nan=True)


def test_the_direction_of_change_over_time() -> None:
    clean = noise(6, 5, 4)
    same, back = temporal_gradient_drift(clean, 2 * clean + 9), temporal_gradient_drift(clean, -clean)
    torch.testing.assert_close(same, torch.zeros(6, dtype=torch.float64))
    torch.testing.assert_close(back, torch.full((6,), 2.0, dtype=torch.float64))
    angle = temporal_gradient_drift(clean, turned(clean, 0.7), chunk=4)
    torch.testing.assert_close(angle, torch.full((6,), 1 - math.cos(0.7), dtype=torch.float64))


def test_time_that_stands_still() -> None:
    clean = torch.tensor([[[0.0, 0], [0, 0], [1, 0]], [[1, 1], [1, 1], [1, 1]]])
    corrupted = torch.tensor([[[0.0, 0], [5, 5], [5, 6]], [[1, 1], [1, 1], [1, 2]]])
    assert temporal_gradient_drift(clean, corrupted).tolist() == pytest.approx([1, math.nan], nan_ok=True)
    frozen = torch.zeros(2, 3, 2)
    assert temporal_gradient_drift(clean, frozen)[0] == 1


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"same n clips are compared, got \(4, 3\) and \(5, 3\)"):
        centred_drift(torch.zeros(4, 3), torch.zeros(5, 3))
    with pytest.raises(ValueError, match=r"at least 2 clips"):
        centred_drift(torch.zeros(1, 3), torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"input_change \(4,\), got \(3,\)"):
        lipschitz_ratio(torch.zeros(4, 3), torch.zeros(4, 3), torch.zeros(3), 1.0)
    with pytest.raises(ValueError, match=r"T >= 2"):
        temporal_gradient_drift(torch.zeros(4, 1, 3), torch.zeros(4, 1, 3))
