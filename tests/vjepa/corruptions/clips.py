"""Clips that look like video: textured scenes that drift, with an object that moves through them."""

from __future__ import annotations

import numpy as np


def scene(seed: int, frames: int = 16, side: int = 64) -> np.ndarray:
    """(F, side, side, 3) uint8 with the spectrum of natural images, a camera that pans and a box that moves."""
    draw = np.random.default_rng(seed)
    size = 2 * side
    power = np.fft.fftfreq(size)[:, None] ** 2 + np.fft.rfftfreq(size) ** 2
    power[0, 0] = 1
    spectra = np.fft.rfft2(draw.normal(size=(3, size, size))) / power**0.55
    picture = np.moveaxis(np.fft.irfft2(spectra, s=(size, size)), 0, -1)
    picture = 0.75 * picture.mean(-1, keepdims=True) + 0.25 * picture
    picture = (picture - picture.mean()) / picture.std() * draw.uniform(35, 60) + draw.uniform(80, 140)
    pan, speed = draw.uniform(-1, 1, 2) * side / 40, draw.uniform(-1, 1, 2) * side / 25
    start, extent, colour = (
        draw.integers(0, side // 2, 2),
        draw.integers(side // 8, side // 3, 2),
        draw.uniform(0, 255, 3),
    )
    shown = []
    for time in range(frames):
        top, left = (side / 2 + pan * time).astype(int)
        frame = picture[top : top + side, left : left + side].copy()
        y, x = np.clip(start + speed * time, 0, side - extent).astype(int)
        frame[y : y + extent[0], x : x + extent[1]] = colour
        shown.append(frame)
    return np.clip(np.stack(shown), 0, 255).astype(np.uint8)


def numbered(frames: int = 16) -> np.ndarray:
    """(F, 2, 2, 3) whose frames are filled with their own numbers."""
    return np.broadcast_to(np.arange(frames, dtype=np.uint8)[:, None, None, None], (frames, 2, 2, 3))


def mean_square(a: np.ndarray, b: np.ndarray) -> float:
    """Mean squared difference in grey levels."""
    return float(((a.astype(float) - b) ** 2).mean())
