"""Where a clip moves, token by token."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.pictures.overlays import heat_over
from experiments.pictures.panels import SIDE, Panel, Pixels, at_side, clip_panel


def motion_panel(frames: Pixels, motion: NDArray[np.floating], note: str, side: int = SIDE) -> Panel:
    """A clip in grey below its motion map, still dark and the fastest bright.

    Args:
        frames: (F, H_px, W_px, 3) uint8.
        motion: (T, H, W), >= 0.
        note: a line about it.
        side: of the panel, in pixels.
    """
    shown = at_side(frames, side)
    return Panel("motion map", heat_over(shown, motion), ((None, note),))


def motion_panels(frames: Pixels, motion: NDArray[np.floating], side: int = SIDE) -> list[Panel]:
    """A clip and its motion map; arguments as ``motion_panel``.

    The note says how uneven the motion is: which share of it the tenth of the tokens that move most holds.
    """
    most = np.sort(motion.ravel())[::-1][: max(1, motion.size // 10)]
    note = f"top tenth: {most.sum() / motion.sum():.0%} of motion" if motion.sum() > 0 else "nothing moves"
    return [clip_panel(frames, len(motion), side), motion_panel(frames, motion, note, side)]
