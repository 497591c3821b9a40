"""Corruptions of pixels at the resolution of the model."""

from __future__ import annotations

import numpy as np

from vjepa.corruptions.base import Corruption


def gaussian_noise(clip: np.ndarray, sigma: float, generator: np.random.Generator) -> np.ndarray:
    """Add independent normal noise of standard deviation ``sigma`` (on the scale [0, 1]) to every value.

    Source: ImageNet-C (Hendrycks and Dietterich, arXiv 1903.12261), here with one field for all severities.
    """
    noise = generator.standard_normal(clip.shape, dtype=np.float32)
    noise *= np.float32(255.0 * sigma)
    noise += clip
    return np.rint(noise, out=noise).clip(0, 255, out=noise).astype(np.uint8)


SPATIAL = (Corruption("gaussian_noise", "spatial", (0.08, 0.12, 0.18, 0.26, 0.38), gaussian_noise),)
