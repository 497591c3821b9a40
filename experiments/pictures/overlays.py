"""What is laid over the frames of a clip: grey below, colours above."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from experiments.pictures.panels import Pixels, sized

_SHARE = 0.65
"""Of the colours of a map; the rest is the clip, in grey."""


def heat_over(shown: Pixels, maps: NDArray[np.floating]) -> Pixels:
    """A clip in grey below maps of its tokens, 0 dark and the highest of all bright.

    Args:
        shown: (F, H_px, W_px, 3) uint8.
        maps: (T, H, W), >= 0.

    Returns:
        (F, H_px, W_px, 3) uint8.
    """
    heat = _heat(maps)[steps_of(len(shown), len(maps))]
    return mixed(grey(shown), sized(heat, shown.shape[1:3]), _SHARE)


def steps_of(num_frames: int, num_steps: int) -> NDArray[np.int64]:
    """The time step of each frame, (F,) in [0, T)."""
    return np.arange(num_frames) * num_steps // num_frames


def grey(frames: Pixels) -> Pixels:
    """Frames without their colours, as bright as they were."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return np.repeat((frames @ weights)[..., None], 3, axis=-1).astype(np.uint8)


def mixed(below: Pixels, above: Pixels, share: float) -> Pixels:
    """``share`` of one picture, the rest of the other."""
    return ((1 - share) * below.astype(np.float32) + share * above).astype(np.uint8)


def _heat(maps: NDArray[np.floating]) -> Pixels:
    """Maps (T, H, W) as colours that stay apart in grey, too: (T, H, W, 3)."""
    highest = float(maps.max())
    scaled = (255 * maps / highest if highest > 0 else np.zeros_like(maps)).astype(np.uint8)
    flat = scaled.reshape(len(scaled) * scaled.shape[1], scaled.shape[2])
    heat = cv2.applyColorMap(flat, cv2.COLORMAP_INFERNO)[..., ::-1]
    return heat.reshape(*scaled.shape, 3).astype(np.uint8)
