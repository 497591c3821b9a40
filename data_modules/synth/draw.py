"""Draws one clip of the synthetic motion set: a pure function of its seed."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Border = Literal["stop", "bounce"]
BORDERS: tuple[Border, ...] = ("stop", "bounce")

SIZE = 160
NUM_FRAMES = 32

VELOCITIES = {
    "N": (0, -4),
    "NE": (3, -3),
    "E": (4, 0),
    "SE": (3, 3),
    "S": (0, 4),
    "SW": (-3, 3),
    "W": (-4, 0),
    "NW": (-3, -3),
}
"""Pixels a frame to the right and down, by class in the order of the labels."""


def make_clip(
    seed: int, velocity: tuple[int, int] | None = None, num_frames: int = NUM_FRAMES, border: Border = "stop"
) -> NDArray[np.uint8]:
    """Draw a disc of one colour that drifts over a constant background colour with fresh grey noise in every frame.

    Args:
        seed: of every draw, >= 0.
        velocity: pixels a frame to the right and down; None draws both from -4 to 4.
        num_frames: F, >= 1; the study's clips have 32, and another number changes what is drawn.
        border: what the disc does where it meets the border.

    Returns:
        (F, 160, 160, 3) uint8, RGB.

    Source: the study's two generators; golden case data.npz, generate_synth_videos (seed 42) and
    generate_eval_synth_videos (seed 43, velocity (3, -3)), pixel for pixel.
    """
    # The order of these draws and their types are the definition: changing either changes every clip.
    rng = np.random.default_rng(seed)
    background = rng.integers(0, 80, size=3, dtype=np.uint8)
    noise = rng.integers(0, 30, size=(num_frames, SIZE, SIZE, 1))
    colour = rng.integers(120, 256, size=3, dtype=np.uint8)
    radius = int(rng.integers(10, 40))
    start = np.array([rng.integers(radius, SIZE - radius), rng.integers(radius, SIZE - radius)])
    if velocity is None:
        velocity = (int(rng.integers(-4, 5)), int(rng.integers(-4, 5)))
    x, y = disc_path(start, velocity, radius, num_frames, border).T[..., None]  # (F, 1) each
    pixel = np.arange(SIZE)
    inside = ((pixel - x) ** 2)[:, None, :] + ((pixel - y) ** 2)[:, :, None] <= radius**2  # (F, H, W)
    frames = (background + noise).astype(np.uint8)  # at most 79 + 29
    frames[inside] = colour
    return frames


def disc_path(
    start: NDArray[np.int64], velocity: tuple[int, int], radius: int, num_frames: int, border: Border
) -> NDArray[np.int64]:
    """Return the centres of a disc that stays whole in the picture, (F, 2) x and y in pixels.

    Args:
        start: (2,) in [radius, 159 - radius].
        velocity: pixels a frame to the right and down.
        radius: of the disc in pixels.
        num_frames: F.
        border: ``stop``, each coordinate by itself, or ``bounce``.
    """
    room = SIZE - 1 - 2 * radius
    offset = start - radius + np.arange(num_frames)[:, None] * np.array(velocity)
    if border == "stop":
        return radius + np.clip(offset, 0, room)
    return radius + room - np.abs(offset % (2 * room) - room)
