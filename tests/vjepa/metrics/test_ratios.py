"""mPC weighs corruptions equally; rPC is its ratio to the clean accuracy."""

from __future__ import annotations

import math

import pytest

from vjepa.metrics import mean_performance, relative_performance


def test_every_corruption_counts_the_same() -> None:
    accuracies = {("noise", 1): 0.8, ("noise", 3): 0.6, ("noise", 5): 0.4, ("freeze", 1): 0.9}
    assert mean_performance(accuracies) == pytest.approx((0.6 + 0.9) / 2)


def test_the_ratio_to_clean() -> None:
    assert relative_performance(0.3, 0.6) == pytest.approx(0.5)
    assert math.isnan(relative_performance(0.0, 0.0))


def test_no_condition_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least one condition"):
        mean_performance({})
