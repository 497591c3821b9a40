"""A designed division is told from random ones."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.vjepa.metrics.features import noise
from vjepa.metrics import (
    SelectivityTest,
    centred_drift,
    leading_channels,
    selectivity_index,
)
from vjepa.metrics.subspace_drift import Normalisation

N, D = 400, 64
APP = leading_channels(D, D // 2)
STRONG, WEAK = 1.0, 0.05
NORMALISATIONS: list[Normalisation] = ["centred", "standardised", "whitened"]


def damaged(clean: Tensor, app: float, dyn: float, seed: int) -> Tensor:
    """Noise of other strength in the two halves."""
    return clean + noise(*clean.shape, seed=seed) * torch.where(APP, app, dyn)


def designed(clean: Tensor, **options: Any) -> SelectivityTest:
    """z_app follows spatial, z_dyn temporal corruption."""
    test = SelectivityTest(clean, APP, **options)
    test.add("fog", "spatial", damaged(clean, STRONG, WEAK, 1))
    test.add("contrast", "spatial", damaged(clean, STRONG, WEAK, 2))
    test.add("freeze", "temporal", damaged(clean, WEAK, STRONG, 3))
    return test


def test_the_index_by_hand() -> None:
    values = [torch.tensor(value) for value in (0.4, 0.1, 0.2, 0.8)]
    assert selectivity_index(*values).item() == pytest.approx(math.log(0.8 * 0.4 / (0.1 * 0.2)))
    assert selectivity_index(*(torch.tensor(0.3),) * 4) == 0
    assert selectivity_index(torch.tensor(0.0), *values[1:]).isnan()


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_a_designed_division_stands_out(normalisation: Normalisation) -> None:
    found = designed(noise(N, D), num_splits=20 if normalisation == "whitened" else 100, normalisation=normalisation)
    result = found.result()
    # Independent noise of strength s turns a wide random vector by arccos(1 / sqrt(1 + s^2)).
    strong, weak = (1 - 1 / math.sqrt(1 + s * s) for s in (STRONG, WEAK))
    assert result.drift["app", "spatial"] == pytest.approx(strong, rel=0.1)
    assert result.index == pytest.approx(2 * math.log(strong / weak), rel=0.1)
    assert result.index > 9 and max(map(abs, result.null)) < 3 and result.num_clips == N
    assert result.p_value == 1 / (1 + len(result.null))
    for cell, drifts in result.null_drift.items():
        # Arbitrary halves lie between the half that was hit and the one that was not.
        assert len(drifts) == len(result.null) and weak < min(drifts) <= max(drifts) < strong, cell
    null = {key: torch.tensor(value, dtype=torch.float64) for key, value in result.null_drift.items()}
    again = selectivity_index(*(null[half, group] for half in ("app", "dyn") for group in ("spatial", "temporal")))
    assert again.tolist() == pytest.approx(result.null, abs=1e-9)


def test_an_arbitrary_division_does_not() -> None:
    clean = noise(N, D)
    order = torch.randperm(D, generator=torch.Generator().manual_seed(5))
    test = SelectivityTest(clean, APP[order])
    test.add("fog", "spatial", damaged(clean, STRONG, WEAK, 1))
    test.add("freeze", "temporal", damaged(clean, WEAK, STRONG, 2))
    result = test.result()
    assert abs(result.index) < 3 and result.p_value > 0.05 and len(result.null) == 100
    assert sum(result.null) / 100 == pytest.approx(0, abs=0.3)


def test_the_opposite_division_is_not_significant() -> None:
    clean = noise(N, D)
    test = SelectivityTest(clean, ~APP)
    test.add("fog", "spatial", damaged(clean, STRONG, WEAK, 1))
    test.add("freeze", "temporal", damaged(clean, WEAK, STRONG, 2))
    assert test.result().index < -9 and test.result().p_value == 1


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_a_collapsed_half_has_no_index(normalisation: Normalisation) -> None:
    clean = torch.where(APP, 0.1, noise(100, D))
    result = designed(clean, num_splits=5, normalisation=normalisation).result()
    assert math.isnan(result.index) and math.isnan(result.p_value)


def test_divisions_without_an_index_count_against_the_claim() -> None:
    clean = noise(200, 4) * torch.tensor([1.0, 0, 1, 0])
    test = SelectivityTest(clean, torch.tensor([True, True, False, False]), num_splits=50)
    strength = torch.tensor([1.0, 0, 0.05, 0])
    test.add("fog", "spatial", clean + strength * noise(200, 4, seed=1))
    test.add("freeze", "temporal", clean + strength.roll(2) * noise(200, 4, seed=2))
    result = test.result()
    undefined = sum(map(math.isnan, result.null))
    as_large = sum(value >= result.index - 1e-9 for value in result.null)
    assert undefined > 5 and as_large > 5 and result.p_value == (1 + undefined + as_large) / 51


def test_severities_are_averaged_before_corruptions() -> None:
    clean = noise(100, D)
    levels = [damaged(clean, strength, WEAK, 1) for strength in (0.2, 0.5, 2.0)]
    test = SelectivityTest(clean, APP, num_splits=3)
    for level in levels[:2]:
        test.add("fog", "spatial", level)
    test.add("noise", "spatial", levels[2])
    test.add("freeze", "temporal", levels[0])
    each = [centred_drift(clean[:, APP], level[:, APP]).mean().item() for level in levels]
    assert test.result().drift["app", "spatial"] == pytest.approx(((each[0] + each[1]) / 2 + each[2]) / 2)


def test_same_seed_same_null() -> None:
    clean = noise(100, D)
    results = [designed(clean, seed=seed, num_splits=5).result().null for seed in (0, 0, 1)]
    assert results[0] == results[1] != results[2]


def test_wrong_input_is_refused() -> None:
    clean = noise(10, D)
    test = SelectivityTest(clean, APP, num_splits=2)
    with pytest.raises(ValueError, match=r"reverse: group 'order' does not enter the index"):
        test.add("reverse", "order", clean)  # type: ignore[arg-type]
    test.add("fog", "spatial", clean)
    with pytest.raises(ValueError, match=r"no corruption of group temporal"):
        test.result()
    with pytest.raises(ValueError, match=r"app_width must be in"):
        SelectivityTest(clean, torch.ones(D, dtype=torch.bool))
