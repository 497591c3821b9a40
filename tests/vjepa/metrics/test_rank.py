"""Closed forms: isotropic features fill their width, equal ones have rank one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.vjepa.metrics.features import rotation, walsh
from vjepa.metrics import alpha_req, dead_ratio, feature_std, mean_pairwise_cosine, participation_ratio, rankme

EVERY = (rankme, participation_ratio, feature_std, dead_ratio, mean_pairwise_cosine)


def orthogonal(n: int, d: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.linalg.qr(torch.randn(n, d, generator=generator, dtype=torch.float64)).Q.float()


@pytest.mark.parametrize(("n", "d"), [(256, 24), (24, 24)])
def test_orthonormal_columns_have_full_rankme(n: int, d: int) -> None:
    assert rankme(5 * orthogonal(n, d)).item() == pytest.approx(d, rel=1e-4)


def test_few_orthonormal_rows_are_limited_by_their_number() -> None:
    assert rankme(orthogonal(64, 8).T).item() == pytest.approx(8, rel=1e-4)


def test_one_direction_has_rankme_one() -> None:
    features = torch.linspace(-3, 5, 200)[:, None] * torch.linspace(0.1, 1, 64)
    assert rankme(features).item() == pytest.approx(1, abs=1e-3)


def test_rankme_of_known_singular_values() -> None:
    values = torch.tensor([4.0, 2.0, 1.0, 1.0])
    shares = values / values.sum()
    expected = torch.exp(-(shares * shares.log()).sum()).item()
    assert rankme(orthogonal(100, 4) * values).item() == pytest.approx(expected, rel=1e-4)


def test_rankme_agrees_with_a_singular_value_decomposition() -> None:
    features = torch.randn(300, 40, generator=torch.Generator().manual_seed(1)) * torch.logspace(0, -3, 40) + 2
    for x in (features, features[:20]):
        singular = torch.linalg.svdvals(x.double())
        shares = singular / singular.sum() + 1e-7
        expected = torch.exp(-(shares * shares.log()).sum()).item()
        assert rankme(x).item() == pytest.approx(expected, rel=1e-4)


def test_participation_ratio_counts_directions_of_equal_variance() -> None:
    signs = torch.tensor([[(row >> bit) & 1 for bit in range(4)] for row in range(16)]).float() * 2 - 1
    assert participation_ratio(signs + 10).item() == pytest.approx(4, rel=1e-5)
    assert participation_ratio(signs * torch.tensor([1.0, 1, 0, 0])).item() == pytest.approx(2, rel=1e-5)
    wide = torch.cat([signs, torch.zeros(16, 40)], dim=1)
    assert participation_ratio(wide).item() == pytest.approx(4, rel=1e-5)


def test_std_and_dead_dimensions() -> None:
    features = torch.tensor([[-1.0, 5.0, -2.0, 0.001], [1.0, 5.0, 2.0, 0.0]])
    assert feature_std(features).item() == pytest.approx((2**0.5 + 2 * 2**0.5 + 0.001 / 2**0.5) / 4, rel=1e-5)
    assert dead_ratio(features).item() == 0.5


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 2.0])
def test_alpha_of_a_power_law(alpha: float) -> None:
    decay = torch.arange(1, 64, dtype=torch.float64) ** (-alpha / 2)
    assert alpha_req(walsh(6) * decay + 9).item() == pytest.approx(alpha, abs=1e-6)


def test_alpha_of_a_part_of_the_spectrum() -> None:
    rank = torch.arange(1, 64, dtype=torch.float64)
    variance = torch.where(rank <= 20, rank**-1.0, 20.0 * 20**-2.0 * (rank / 20) ** -3)
    features = walsh(6) * variance.sqrt()
    assert alpha_req(features, last=20).item() == pytest.approx(1, abs=1e-6)
    assert alpha_req(features, first=20).item() == pytest.approx(3, abs=1e-6)


def test_alpha_leaves_out_directions_that_do_not_vary() -> None:
    decay = torch.arange(1, 64, dtype=torch.float64).pow(-0.5)
    decay[30:] = 0
    assert alpha_req(walsh(6) * decay @ rotation(63)).item() == pytest.approx(1, abs=1e-6)
    assert alpha_req(torch.full((16, 8), 3.0)).isnan()
    with pytest.raises(ValueError, match=r"expected 1 <= first < last"):
        alpha_req(walsh(3), last=8)


def test_mean_cosine_between_features() -> None:
    features = torch.tensor([[2.0, 0], [0, 3], [5, 5]])
    assert mean_pairwise_cosine(features).item() == pytest.approx((0 + 0.5**0.5 + 0.5**0.5) / 3)
    assert mean_pairwise_cosine(torch.full((9, 4), 2.0)).item() == pytest.approx(1)


@pytest.mark.parametrize("value", [0.1, 3.0])
def test_a_constant_has_no_participation_ratio(value: float) -> None:
    assert participation_ratio(torch.full((19, 8), value, dtype=torch.float64)) == 0


@pytest.mark.parametrize("function", EVERY)
def test_a_collapsed_representation_gives_finite_numbers(function: Callable[[Tensor], Tensor]) -> None:
    for value in (0.0, 3.0):
        assert torch.isfinite(function(torch.full((16, 8), value)))


@pytest.mark.parametrize("function", EVERY)
def test_autocast_and_gradients_do_not_matter(function: Callable[[Tensor], Tensor]) -> None:
    features = torch.randn(64, 16, generator=torch.Generator().manual_seed(0), requires_grad=True)
    plain = function(features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = function(features)
    assert plain.dtype == torch.float32 and plain.ndim == 0 and not plain.requires_grad
    assert torch.equal(plain, mixed)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \(n, d\), got \(2, 3, 4\)"):
        rankme(torch.zeros(2, 3, 4))
