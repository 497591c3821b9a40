"""Divisions hold the channels they should, and swaps move those only."""

from __future__ import annotations

import pytest
import torch

from tests.vjepa.metrics.features import noise, rotation, walsh
from vjepa.layout import Layout
from vjepa.metrics import app_channels, leading_channels, pca_basis, random_splits, swap_channels


@pytest.mark.parametrize("kind", ["by_level", "within_level"])
def test_channels_of_a_layout_are_those_of_its_split(kind: str) -> None:
    layout = Layout(kind, width=6, app_ratio=0.5)  # type: ignore[arg-type]
    features = noise(5, 24)
    app = app_channels(layout)
    z_app, z_dyn = layout.split(features)
    assert torch.equal(features[:, app], z_app) and torch.equal(features[:, ~app], z_dyn)


def test_channels_of_the_last_level() -> None:
    assert app_channels(Layout("within_level", 6, 0.5), last_level=True).tolist() == [True] * 3 + [False] * 3
    with pytest.raises(ValueError, match=r"by_level with app_ratio 0.5 leaves z_app of the last level empty"):
        app_channels(Layout("by_level", 6, 0.5), last_level=True)


def test_random_splits_are_as_wide_seeded_and_different() -> None:
    before = torch.get_rng_state()
    found = random_splits(40, 15, num_splits=100, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert found.shape == (100, 40) and (found.sum(1) == 15).all()
    assert torch.equal(found, random_splits(40, 15, num_splits=100, seed=1))
    assert not torch.equal(found, random_splits(40, 15, num_splits=100, seed=2))
    assert len({tuple(row) for row in found.tolist()}) == 100
    share = found.double().mean(0)
    assert (share > 0.2).all() and (share < 0.55).all()  # 0.375 +- 3.6 standard errors
    with pytest.raises(ValueError, match=r"app_width must be in \[1, 39\]"):
        random_splits(40, 40)


def test_pca_orders_directions_by_variance() -> None:
    scale = torch.tensor([1.0, 5, 2, 4, 3, 0.5, 0.1])
    turn = rotation(7)
    mean, basis = pca_basis((walsh(3) * scale + 2) @ turn)
    assert torch.allclose(basis.T @ basis, torch.eye(7, dtype=torch.float64), atol=1e-10)
    rotated = ((walsh(3) * scale + 2) @ turn - mean) @ basis
    assert rotated.square().mean(0).sqrt().tolist() == pytest.approx(sorted(scale.tolist(), reverse=True))
    assert leading_channels(7, 3).tolist() == [True] * 3 + [False] * 4


def test_a_swap_moves_the_named_channels_of_any_shape() -> None:
    clean, corrupted = noise(2, 3, 6), noise(2, 3, 6, seed=1).float()
    app = leading_channels(6, 2)
    repaired = swap_channels(corrupted, clean, ~app)
    assert repaired.dtype == torch.float32
    assert torch.equal(repaired[..., :2], corrupted[..., :2]) and torch.equal(repaired[..., 2:], clean[..., 2:].float())
    assert torch.equal(swap_channels(repaired, corrupted, ~app), corrupted)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected two equal"):
        swap_channels(torch.zeros(2, 6), torch.zeros(2, 6), leading_channels(5, 2))
    with pytest.raises(ValueError, match=r"torch.int64"):
        swap_channels(torch.zeros(2, 6), torch.zeros(2, 6), torch.arange(6))
