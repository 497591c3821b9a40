"""LiDAR of views whose two covariances are known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.vjepa.metrics.features import noise, rotation, walsh
from vjepa.metrics import lidar

BETWEEN = torch.tensor([2.0, 1.0, 1.0, 0.5])
WITHIN = torch.tensor([1.0, 1.0, 0.5, 0.1])


def views(between: Tensor = BETWEEN, within: Tensor = WITHIN) -> list[Tensor]:
    """64 clips whose means have standard deviations ``between``, with two views ``within`` around them."""
    signs = walsh(6)
    means, around = signs[:, :4] * between, signs[:, 10:14] * within
    return [means + around + 3, means - around + 3]


def entropy_rank(eigenvalues: Tensor) -> float:
    shares = eigenvalues / eigenvalues.sum()
    return torch.special.entr(shares).sum().exp().item()


@pytest.mark.parametrize("chunk", [10, 1000])
def test_the_known_spectrum(chunk: int) -> None:
    expected = entropy_rank(BETWEEN**2 / (WITHIN**2 + 1e-4))
    assert lidar(views(), chunk=chunk).item() == pytest.approx(expected, rel=1e-5)


def test_a_rotation_does_not_matter() -> None:
    turn = rotation(4)
    assert lidar([each @ turn for each in views()]).item() == pytest.approx(lidar(views()).item(), rel=1e-9)


def test_directions_that_corruptions_swamp_do_not_count() -> None:
    even, noisy = torch.ones(4), torch.tensor([1.0, 1.0, 100.0, 100.0])
    assert lidar(views(even, even)).item() == pytest.approx(4, rel=1e-5)
    assert lidar(views(even, noisy)).item() == pytest.approx(2, rel=0.01)


def test_the_definition_with_a_symmetric_root() -> None:
    given = [noise(30, 5) + 0.3 * noise(30, 5, seed=seed) for seed in range(1, 5)]
    z = torch.stack(given, 1)  # (n, v, d)
    means = z.mean(1)
    between = (means - means.mean(0)).T @ (means - means.mean(0)) / 30
    around = (z - means[:, None]).flatten(0, 1)
    values, vectors = torch.linalg.eigh(around.T @ around / 120 + 1e-4 * torch.eye(5))
    root = vectors @ values.rsqrt().diag() @ vectors.T
    expected = entropy_rank(torch.linalg.eigvalsh(root @ between @ root))
    assert lidar(given).item() == pytest.approx(expected, rel=1e-6)


def test_a_collapsed_representation_has_no_rank() -> None:
    assert lidar([torch.full((19, 4), 0.1, dtype=torch.float64)] * 3) == 0


def test_one_view_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected 2 views or more of one shape"):
        lidar([torch.zeros(4, 3)])
    with pytest.raises(ValueError, match=r"expected 2 views or more of one shape"):
        lidar([torch.zeros(4, 3), torch.zeros(4, 5)])
