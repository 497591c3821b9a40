"""Corruptions along time that keep the label."""

from __future__ import annotations

import numpy as np

from vjepa.corruptions.base import Corruption


def frame_freeze(clip: np.ndarray, probability: float, generator: np.random.Generator) -> np.ndarray:
    """Replace each frame but the first, with ``probability``, by the frame shown before it.

    Source: the freezing rule of Schiappa et al. (arXiv 2207.01398), hold probability 0.12 times the severity.
    """
    held = generator.random(len(clip)) < probability
    held[0] = False
    shown = np.maximum.accumulate(np.where(held, 0, np.arange(len(clip))))
    return np.asarray(clip[shown])


TEMPORAL = (Corruption("frame_freeze", "temporal", (0.12, 0.24, 0.36, 0.48, 0.60), frame_freeze),)
