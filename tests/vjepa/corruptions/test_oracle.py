"""Agreement with another implementation of ImageNet-C, where ``pip install imagecorruptions-imaug`` was run."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.vjepa.corruptions.clips import mean_square, scene
from vjepa.corruptions import SEVERITIES, corrupt_batch

PICTURES = np.stack([scene(seed, frames=1, side=224)[0] for seed in range(4)])


def ours(name: str, severity: int) -> np.ndarray:
    clips = torch.from_numpy(PICTURES)[:, None]
    return corrupt_batch(clips, name, severity, "d", list("abcd"))[:, 0].numpy()


def theirs(name: str, severity: int) -> np.ndarray:
    oracle = pytest.importorskip("imagecorruptions")
    np.random.seed(severity)
    return np.stack([oracle.corrupt(picture, severity, name) for picture in PICTURES])


def decibel(damaged: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / mean_square(damaged, PICTURES)))


# They cut fractions of grey levels off, here they are rounded. Not compared: their disk of radius 8 does not sum to
# one, a rounding error adds a zoom to their severity 1, their elastic_transform has other parameters, frost is a
# photograph.
EXACT = [
    (name, severity) for name in ("brightness", "saturate", "pixelate", "jpeg_compression") for severity in SEVERITIES
]
EXACT += [("defocus_blur", severity) for severity in (1, 2, 3)] + [("zoom_blur", severity) for severity in (2, 3, 4, 5)]

AS_STRONG = [("gaussian_noise", 0.1), ("shot_noise", 0.1), ("impulse_noise", 0.1), ("motion_blur", 1.0), ("snow", 0.5)]
AS_STRONG += [("glass_blur", 1.2), ("fog", 2.0)]


@pytest.mark.parametrize(("name", "severity"), EXACT)
def test_what_is_not_random_is_equal(name: str, severity: int) -> None:
    assert np.abs(ours(name, severity).astype(int) - theirs(name, severity)).max() <= 1


@pytest.mark.parametrize("severity", SEVERITIES)
def test_contrast_of_images_is_equal(severity: int) -> None:
    assert np.abs(ours("contrast_image", severity).astype(int) - theirs("contrast", severity)).max() <= 1


@pytest.mark.parametrize(("name", "tolerance"), AS_STRONG)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_what_is_random_is_as_strong(name: str, tolerance: float, severity: int) -> None:
    assert decibel(ours(name, severity)) == pytest.approx(decibel(theirs(name, severity)), abs=tolerance)
