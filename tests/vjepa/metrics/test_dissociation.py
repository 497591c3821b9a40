"""The table of double dissociation, by hand."""

from __future__ import annotations

import math

import pytest

from vjepa.metrics import CleanAccuracy, DoubleDissociation, ProbedSubspace, recovered_ratio

CLEAN = CleanAccuracy(0.6, 0.1, 2000)


def test_each_subspace_follows_its_own_corruption() -> None:
    found = DoubleDissociation(app=ProbedSubspace(CLEAN, 0.2, 0.55), dyn=ProbedSubspace(CLEAN, 0.5, 0.25))
    expected = {("app", "spatial"): 0.8, ("app", "temporal"): 0.1, ("dyn", "spatial"): 0.2, ("dyn", "temporal"): 0.7}
    assert found.table == pytest.approx(expected)
    assert found.interaction == pytest.approx(0.7 + 0.5) and found.crossed is True


def test_one_side_alone_is_no_double_dissociation() -> None:
    found = DoubleDissociation(app=ProbedSubspace(CLEAN, 0.2, 0.6), dyn=ProbedSubspace(CLEAN, 0.3, 0.4))
    assert found.interaction > 0 and found.crossed is False


def test_a_subspace_without_utility_proves_nothing() -> None:
    useless = ProbedSubspace(CleanAccuracy(0.11, 0.1, 2000), 0.1, 0.1)
    found = DoubleDissociation(app=ProbedSubspace(CLEAN, 0.2, 0.6), dyn=useless)
    assert math.isnan(found.interaction) and found.crossed is None


def test_what_a_swap_repairs() -> None:
    assert recovered_ratio(0.5, 0.3, 0.6) == pytest.approx(2 / 3)
    assert recovered_ratio(0.3, 0.3, 0.6) == 0
    assert math.isnan(recovered_ratio(0.6, 0.6, 0.6))
