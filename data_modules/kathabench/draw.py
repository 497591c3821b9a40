"""Draws one KathaBench clip: a pure function of its seed, its class and the spec's quirks."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data_modules.kathabench.motions import SIZE, Floats, draw_motion

Background = Literal["solid", "gradient", "noise"]
SolidColour = Literal["constant", "flicker"]

BACKGROUNDS: tuple[Background, ...] = ("solid", "gradient", "noise")
SHAPES = ("circle", "square", "triangle")

Pixels = NDArray[np.uint8]


def draw_clip(name: str, rng: np.random.Generator, num_frames: int, solid: SolidColour) -> Pixels:
    """Draw an object that moves, breathes and changes its colour before a distracting background.

    Shape and background are drawn from ``SHAPES`` and ``BACKGROUNDS``; the object's half extent is U(10, 30) pixels
    times 1 + 0.5 sin(0.5 i) in frame i; each channel of its colour drifts by up to 5 levels a frame. The object is
    brighter than the background (128 to 255 against 0 to 127 in every channel), so it can be seen.

    Args:
        name: class of the motion.
        rng: source of all draws.
        num_frames: F, >= 1.
        solid: a solid background keeps its colour (``constant``) or draws a new one every frame (``flicker``).

    Returns:
        (F, 224, 224, 3) uint8, RGB.

    Source: the study's KathaBench generator, in distribution.
    Differs: random streams, ranges of the colours and the pace of drift and gradient are this project's own.
    """
    shape = SHAPES[rng.integers(len(SHAPES))]
    frames = _background(BACKGROUNDS[rng.integers(len(BACKGROUNDS))], num_frames, solid, rng)
    radius = rng.uniform(10.0, 30.0)
    colours = _drifting_colours(num_frames, rng)
    second_colour = rng.integers(128, 256, size=3, dtype=np.uint8)
    motion = draw_motion(name, radius, num_frames, rng)
    if motion.partner is not None:
        everywhere = np.broadcast_to(motion.partner, motion.centre.shape)
        frames[inside("circle", everywhere, np.full(num_frames, radius))] = second_colour
    number, row, column = np.nonzero(
        inside(shape, motion.centre, radius * (1.0 + 0.5 * np.sin(0.5 * np.arange(num_frames))))
    )
    frames[number, row, column] = colours[number]
    return frames


def inside(shape: str, centre: Floats, radius: Floats) -> NDArray[np.bool_]:
    """Return which pixels an object covers.

    Args:
        shape: one of ``SHAPES``; a square or triangle (point up) fills the circle's bounding box.
        centre: (F, 2) x and y in pixels.
        radius: (F,) half extent in pixels.

    Returns:
        (F, 224, 224) bool.
    """
    pixel = np.arange(SIZE, dtype=np.float32)
    extent = radius.astype(np.float32)[:, None, None]
    across = pixel[None, None, :] - centre[:, 0].astype(np.float32)[:, None, None]  # (F, 1, W)
    down = pixel[None, :, None] - centre[:, 1].astype(np.float32)[:, None, None]  # (F, H, 1)
    if shape == "circle":
        return across**2 + down**2 <= extent**2
    if shape == "square":
        return (np.abs(across) <= extent) & (np.abs(down) <= extent)
    if shape == "triangle":
        return (2.0 * np.abs(across) <= down + extent) & (down <= extent)
    raise ValueError(f"no shape is called {shape!r}")


def _background(kind: Background, num_frames: int, solid: SolidColour, rng: np.random.Generator) -> Pixels:
    frames = np.empty((num_frames, SIZE, SIZE, 3), dtype=np.uint8)
    if kind == "noise":
        frames[:] = rng.integers(0, 128, size=frames.shape, dtype=np.uint8)
    elif kind == "gradient":
        frames[:] = _moving_gradient(num_frames, rng)[:, None]
    else:
        colours = rng.integers(0, 128, size=(num_frames, 1, 1, 3), dtype=np.uint8)
        frames[:] = colours if solid == "flicker" else colours[:1]
    return frames


def _moving_gradient(num_frames: int, rng: np.random.Generator) -> Pixels:
    """Rows (F, W, 3) that fade from one colour to another and back, and move sideways."""
    ends = rng.integers(0, 128, size=(2, 3))
    pace = rng.uniform(-8.0, 8.0)
    place = (np.arange(SIZE) + pace * np.arange(num_frames)[:, None]) / SIZE  # (F, W)
    share = np.abs(2.0 * (place % 1.0) - 1.0)[..., None]
    rows: Pixels = (share * ends[0] + (1.0 - share) * ends[1]).astype(np.uint8)
    return rows


def _drifting_colours(num_frames: int, rng: np.random.Generator) -> Pixels:
    """Colours (F, 3) that drift evenly and turn round at 128 and 255."""
    start, pace = rng.uniform(0.0, 127.0, size=3), rng.uniform(-5.0, 5.0, size=3)
    place = start + np.outer(np.arange(num_frames), pace)
    colours: Pixels = (255.0 - np.abs(place % 254.0 - 127.0)).astype(np.uint8)
    return colours
