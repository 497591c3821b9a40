"""Flips counted by hand."""

from __future__ import annotations

import math

import pytest
import torch

from vjepa.metrics import Flips, antonym_flip_rate, flips


def test_every_kind_of_flip() -> None:
    labels = torch.tensor([0, 0, 0, 0, 0, 0, 0, 0])
    clean = torch.tensor([0, 0, 0, 1, 1, 1, 2, 0])
    corrupted = torch.tensor([0, 1, 2, 0, 1, 2, 1, 0])
    found = flips(clean, corrupted, labels)
    assert found == Flips(rate=5 / 8, lost=2 / 8, gained=1 / 8, both_wrong=2 / 8, num_clips=8)
    assert found.lost + found.gained + found.both_wrong == found.rate


def test_accuracy_does_not_see_changes_between_wrong_classes() -> None:
    labels, clean, corrupted = torch.zeros(4).long(), torch.full((4,), 1), torch.full((4,), 2)
    assert (clean == labels).sum() == (corrupted == labels).sum()
    assert flips(clean, corrupted, labels) == Flips(1, 0, 0, 1, 4)


def test_antonyms() -> None:
    clean = torch.tensor([0, 0, 1, 2, 2, 5])
    backwards = torch.tensor([1, 0, 0, 3, 4, 0])
    rate, asked = antonym_flip_rate(clean, backwards, [(0, 1), (2, 3)])
    assert rate == pytest.approx(3 / 5) and asked == 5
    rate, asked = antonym_flip_rate(clean, backwards, [(8, 9)])
    assert math.isnan(rate) and asked == 0


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected equal \(n,\) classes of 1 clip or more"):
        flips(torch.zeros(3), torch.zeros(4), torch.zeros(3))
    with pytest.raises(ValueError, match=r"occurs twice"):
        antonym_flip_rate(torch.zeros(2).long(), torch.zeros(2).long(), [(0, 1), (1, 2)])
