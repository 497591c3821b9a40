"""Closed forms of accuracy under corruption; order probes stay out; ratios without a basis are blank."""

from __future__ import annotations

import math

import pytest

from vjepa.metrics import (
    CleanAccuracy,
    absolute_robustness,
    corrected_performance,
    corruption_performance,
    group_performance,
    mean_performance,
    order_sensitivity,
    relative_performance,
    relative_robustness,
)

ACCURACIES = {("noise", 1): 0.8, ("noise", 3): 0.6, ("noise", 5): 0.4, ("freeze", 1): 0.9, ("fog", 3): 0.3}
GROUPS = {"noise": "spatial", "fog": "spatial", "freeze": "temporal", "h264": "codec", "reverse": "order"}
CLEAN = CleanAccuracy(0.6, 0.1, 1000)


def test_every_corruption_counts_the_same() -> None:
    assert corruption_performance(ACCURACIES) == pytest.approx({"noise": 0.6, "freeze": 0.9, "fog": 0.3})
    assert mean_performance(ACCURACIES) == pytest.approx((0.6 + 0.9 + 0.3) / 3)


def test_groups_and_their_union() -> None:
    expected = {"spatial": 0.45, "temporal": 0.9, "all": 0.6}
    assert group_performance(ACCURACIES, GROUPS) == pytest.approx(expected)


def test_order_probes_never_enter() -> None:
    with_probe = {**ACCURACIES, ("reverse", 1): 0.0}
    assert group_performance(with_probe, GROUPS) == group_performance(ACCURACIES, GROUPS)
    assert group_performance({("reverse", 1): 0.5}, GROUPS) == {}


def test_a_corruption_without_a_group_is_refused() -> None:
    with pytest.raises(ValueError, match=r"without a group: rain"):
        group_performance({("rain", 1): 0.5}, GROUPS)


def test_the_ratio_to_clean() -> None:
    assert relative_performance(0.3, 0.6) == pytest.approx(0.5)
    assert math.isnan(relative_performance(0.0, 0.0))


def test_the_chance_corrected_ratio() -> None:
    assert corrected_performance(0.35, CLEAN) == pytest.approx(0.5)
    assert corrected_performance(CLEAN.value, CLEAN) == pytest.approx(1)
    assert corrected_performance(CLEAN.majority_rate, CLEAN) == pytest.approx(0)


def test_it_is_blank_below_three_standard_errors() -> None:
    clean, num_clips = 0.5, 100
    edge = clean - 3 * math.sqrt(clean * (1 - clean) / num_clips)  # 0.35
    assert not math.isnan(corrected_performance(0.2, CleanAccuracy(clean, edge - 1e-9, num_clips)))
    assert math.isnan(corrected_performance(0.2, CleanAccuracy(clean, edge + 1e-9, num_clips)))


@pytest.mark.parametrize("value", [0.0, 0.0838, 1.0])
def test_a_constant_predictor_has_no_chance_corrected_ratio(value: float) -> None:
    constant = CleanAccuracy(value, value, 1970)
    assert math.isnan(corrected_performance(value, constant)) and math.isnan(order_sensitivity(value, constant))


def test_robustness_of_one_condition() -> None:
    assert absolute_robustness(0.4, 0.6) == pytest.approx(0.8)
    assert relative_robustness(0.4, 0.6) == pytest.approx(2 / 3)
    assert math.isnan(relative_robustness(0.0, 0.0))


def test_mean_relative_robustness_is_rpc_and_a_weak_model_cannot_lose_absolutely() -> None:
    conditions = {("noise", 1): 0.07, ("noise", 3): 0.05, ("fog", 1): 0.03, ("fog", 3): 0.0}
    ratios = [relative_robustness(value, 0.08) for value in conditions.values()]
    assert sum(ratios) / 4 == pytest.approx(relative_performance(mean_performance(conditions), 0.08))
    assert min(absolute_robustness(value, 0.08) for value in conditions.values()) == pytest.approx(0.92)


def test_order_sensitivity() -> None:
    assert order_sensitivity(0.6, CLEAN) == 0
    assert order_sensitivity(0.1, CLEAN) == pytest.approx(1)
    assert order_sensitivity(0.35, CLEAN) == pytest.approx(0.5)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least one condition"):
        mean_performance({})
    with pytest.raises(ValueError, match=r"clean accuracy must lie in \[0, 1\], got 60"):
        CleanAccuracy(60, 0.1, 100)
    with pytest.raises(ValueError, match=r"majority rate must lie in \[0, 1\], got -0.1"):
        CleanAccuracy(0.6, -0.1, 100)
    with pytest.raises(ValueError, match=r"at least 1 clip"):
        CleanAccuracy(0.6, 0.1, 0)
