"""Neither scale nor mean of a subspace decides, and many at once are the same as one by one."""

from __future__ import annotations

import pytest
import torch

from tests.vjepa.metrics.features import noise, rotation
from vjepa.metrics import SubspaceDrift, centred_drift, leading_channels, random_splits
from vjepa.metrics.subspace_drift import Normalisation

D = 64
APP = leading_channels(D, D // 2)
NORMALISATIONS: list[Normalisation] = ["centred", "standardised", "whitened"]


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_neither_scale_nor_mean_of_a_half_matters(normalisation: Normalisation) -> None:
    clean, corrupted = noise(200, D), noise(200, D) + 0.4 * noise(200, D, seed=1)
    scale, shift = torch.where(APP, 100.0, 0.01), torch.where(APP, -7.0, 900.0)
    halves = torch.stack([APP, ~APP])
    expected = SubspaceDrift(clean, halves, normalisation)(corrupted)
    found = SubspaceDrift(clean * scale + shift, halves, normalisation)(corrupted * scale + shift)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_all_subspaces_at_once_equal_one_by_one() -> None:
    clean = noise(50, D) + 4
    corrupted = clean + 0.4 * noise(50, D, seed=1)
    members = random_splits(D, 20, num_splits=7)
    found = SubspaceDrift(clean, members, chunk=16)(corrupted)
    expected = torch.stack([centred_drift(clean[:, row], corrupted[:, row]) for row in members])
    torch.testing.assert_close(found, expected)


def test_standardising_and_whitening() -> None:
    clean, corrupted = noise(300, 8), noise(300, 8, seed=1)
    every = torch.ones(1, 8, dtype=torch.bool)
    scale = torch.logspace(-2, 2, 8)
    plain = SubspaceDrift(clean, every, "standardised")(corrupted)
    torch.testing.assert_close(SubspaceDrift(clean * scale, every, "standardised")(corrupted * scale), plain)
    # Whitening also undoes a mixture of channels; the ridge is one in a thousand.
    mix = rotation(8) * torch.linspace(1, 2, 8)
    white = SubspaceDrift(clean, every, "whitened")(corrupted)
    torch.testing.assert_close(SubspaceDrift(clean @ mix, every, "whitened")(corrupted @ mix), white, rtol=0, atol=0.02)
    centred = SubspaceDrift(clean, every)(corrupted)
    assert (SubspaceDrift(clean @ mix, every)(corrupted @ mix) - centred).abs().max() > 0.1


def test_a_channel_that_does_not_vary_has_no_say_when_standardised() -> None:
    clean = noise(100, 4)
    corrupted = clean + 0.3 * noise(100, 4, seed=1)
    clean[:, 0] = 5 + 1e-9 * clean[:, 0]
    drift = SubspaceDrift(clean, torch.tensor([[True] * 4, [False] + [True] * 3]), "standardised")(corrupted)
    torch.testing.assert_close(drift[0], drift[1])


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_a_collapsed_half_is_undefined(normalisation: Normalisation) -> None:
    clean = torch.where(APP, 0.1, noise(100, D))
    drift = SubspaceDrift(clean, torch.stack([APP, ~APP]), normalisation)(clean + noise(100, D, seed=1))
    assert drift[0].isnan().all() and drift[1].isfinite().all()


def test_wrong_input_is_refused() -> None:
    clean = noise(10, D)
    with pytest.raises(ValueError, match=r"a channel in each of S subspaces"):
        SubspaceDrift(clean, torch.zeros(1, D, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"expected centred, standardised or whitened"):
        SubspaceDrift(clean, APP[None], "raw")  # type: ignore[arg-type]
