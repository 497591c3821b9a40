"""The predictor's error clip by clip, by hand."""

from __future__ import annotations

import pytest
import torch

from vjepa.metrics import predictor_surprise, surprise_rate


def test_masks_count_the_same_whatever_their_size() -> None:
    targets = [torch.zeros(2, 3, 4), torch.zeros(2, 10, 4)]
    predicted = [torch.stack([torch.full((3, 4), 1.0), torch.full((3, 4), -2.0)]), torch.full((2, 10, 4), 3.0)]
    assert predictor_surprise(predicted, targets).tolist() == [2, 2.5]
    assert predictor_surprise(predicted, targets, exponent=2).tolist() == [(0.5 + 4.5) / 2, (2 + 4.5) / 2]
    assert predictor_surprise(predicted, predicted).tolist() == [0, 0]


def test_the_rate_is_one_half_when_nothing_changes() -> None:
    clean = torch.tensor([1.0, 2, 3, 4])
    assert surprise_rate(clean, clean) == 0.5
    assert surprise_rate(clean, torch.tensor([2.0, 3, 2, 4])) == (2 + 0.5) / 4


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected equal \(B, K, D\)"):
        predictor_surprise([torch.zeros(2, 3, 4)], [torch.zeros(2, 3, 5)])
    with pytest.raises(ValueError, match=r"expected equal \(B, K, D\)"):
        predictor_surprise([], [])
    with pytest.raises(ValueError, match=r"two equal"):
        surprise_rate(torch.zeros(3), torch.zeros(4))
