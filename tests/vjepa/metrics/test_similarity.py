"""CKA against its definition over Gram matrices, and the trap of its bias."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.vjepa.metrics.features import noise, rotation, walsh
from vjepa.metrics import linear_cka


def reference(x: Tensor, y: Tensor) -> float:
    """Debiased CKA from U-centred Gram matrices, uncentred features."""

    def centred(gram: Tensor) -> Tensor:
        n = len(gram)
        gram = gram - gram.diagonal().diag()
        rows = gram.sum(1) / (n - 2)
        found = gram - rows[:, None] - rows[None] + gram.sum() / ((n - 1) * (n - 2))
        return found - found.diagonal().diag()

    k, l_ = centred(x @ x.T), centred(y @ y.T)
    return ((k * l_).sum() / ((k * k).sum() * (l_ * l_).sum()).sqrt()).item()


@pytest.mark.parametrize(("n", "dx", "dy"), [(60, 5, 7), (12, 40, 30), (30, 3, 200)])
@pytest.mark.parametrize("chunk", [7, 1000])
def test_both_ways_to_compute_it_equal_the_definition(n: int, dx: int, dy: int, chunk: int) -> None:
    x = noise(n, dx) + 3
    y = 0.5 * x @ noise(dx, dy, seed=1) + noise(n, dy, seed=2) - 1
    assert linear_cka(x, y, chunk=chunk).item() == pytest.approx(reference(x, y), rel=1e-9)


def test_rotation_scale_and_shift_do_not_matter() -> None:
    x = noise(80, 12) * torch.linspace(1, 3, 12)
    for debiased in (True, False):
        assert linear_cka(x, 4 * x @ rotation(12) + 9, debiased=debiased).item() == pytest.approx(1)


@pytest.mark.parametrize(("n", "biased"), [(64, 0.74), (500, 0.28)])
def test_biased_cka_finds_similarity_between_random_features(n: int, biased: float) -> None:
    x, y = noise(n, 192), noise(n, 192, seed=1)
    assert linear_cka(x, y, debiased=False).item() == pytest.approx(biased, abs=0.015)
    assert linear_cka(x, y).item() == pytest.approx(0, abs=0.02)


def test_subspaces_of_known_overlap() -> None:
    signs = walsh(6)  # uncorrelated columns
    x, y = signs[:, :4], signs[:, 2:6]
    assert linear_cka(x, y, debiased=False).item() == pytest.approx(0.5)
    assert linear_cka(x, signs[:, 8:12], debiased=False).item() == pytest.approx(0, abs=1e-12)


def test_a_collapsed_side_is_undefined() -> None:
    for debiased in (True, False):
        assert linear_cka(noise(19, 4), torch.full((19, 4), 0.1, dtype=torch.float64), debiased=debiased).isnan()


def test_too_few_clips_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 4 clips"):
        linear_cka(torch.zeros(3, 4), torch.zeros(3, 4))
