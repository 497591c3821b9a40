"""How a glyph moves, grows or fades: its centre, scale and opacity in every frame.

Positions are in units of the frame (0 left or top, 1 right or bottom; y points down).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Path:
    """What varies over the frames of one clip.

    Args:
        centre: (F, 2) x and y of the glyph's centre, in units of the frame.
        scale: (F,) factor on the glyph's own size.
        opacity: (F,) 0 invisible, 1 solid.
    """

    centre: Floats
    scale: Floats
    opacity: Floats


def draw_path(name: str, num_frames: int, rng: np.random.Generator) -> Path:
    """Draw the path of one clip.

    Args:
        name: a motion or order class that is drawn forwards (no key of ``REVERSE_OF``).
        num_frames: F, >= 2.
        rng: source of the nuisances: place, direction, phase and extent.

    Returns:
        The path.
    """
    time = np.linspace(0.0, 1.0, num_frames)
    angle = rng.uniform(0.0, 2.0 * np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    if name in ("grow", "fade_in", "approach"):
        return _order_path(name, time, along, rng)
    across = np.array([-along[1], along[0]])
    offsets = rng.uniform(0.15, 0.23) * _motion(name, time, along, across, rng)
    ones = np.ones(num_frames)
    return Path(_anchored(offsets, rng), ones, ones)


def _anchored(offsets: Floats, rng: np.random.Generator) -> Floats:
    """Place a path (F, 2) so that a single frame says little about its shape.

    A random frame is put near the middle of the picture (otherwise circles would never cross it), then
    the path is pulled back as far as needed to stay in view.
    """
    offsets = offsets - offsets[rng.integers(len(offsets))]
    middle = (offsets.min(axis=0) + offsets.max(axis=0)) / 2.0
    offsets = offsets - middle + np.clip(middle, -0.12, 0.12)
    return 0.5 + rng.uniform(-0.06, 0.06, size=2) + offsets


def _motion(name: str, time: Floats, along: Floats, across: Floats, rng: np.random.Generator) -> Floats:
    """Offsets (F, 2) from the middle of the path, within about the unit disc."""
    phase = rng.uniform()
    if name == "line":
        return np.outer(2.0 * time - 1.0, along)
    if name == "accelerate":
        return np.outer(2.0 * time**2 - 1.0, along)
    if name == "back_and_forth":
        return np.outer(_triangle(time + phase), along)
    if name == "zigzag":
        swing = 0.7 * _triangle(rng.uniform(1.75, 2.25) * time + phase)
        return np.outer(2.0 * time - 1.0, along) + np.outer(swing, across)
    if name == "circle_cw":
        turn = 2.0 * np.pi * (rng.uniform(0.75, 1.0) * time + phase)
        return np.stack([np.cos(turn), np.sin(turn)], axis=1)
    if name == "jitter":
        return rng.uniform(-1.0, 1.0, size=(len(time), 2))
    raise ValueError(f"no path is drawn forwards under the name {name!r}")


def _order_path(name: str, time: Floats, along: Floats, rng: np.random.Generator) -> Path:
    place = 0.5 + rng.uniform(-0.1, 0.1, size=2)
    # Random ends and a random pace keep the middle frame from telling the two of a pair apart.
    low, high = np.sort(rng.uniform(0.0, 0.6, size=2)) + np.array([0.0, 0.4])
    progress = low + (high - low) * time ** np.exp(rng.uniform(-0.5, 0.5))
    ones = np.ones(len(time))
    still = np.tile(place, (len(time), 1))
    if name == "grow":
        return Path(still, 0.45 + 1.1 * progress, ones)
    if name == "fade_in":
        return Path(still, ones, 0.05 + 0.95 * progress)
    return Path(place + 0.65 * np.outer(1.0 - progress, along), ones, ones)


def _triangle(phase: Floats) -> Floats:
    """A triangle wave of period 1 between -1 and 1."""
    return 4.0 * np.abs(phase % 1.0 - 0.5) - 1.0
