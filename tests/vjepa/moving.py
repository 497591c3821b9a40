"""The study's moving square, whose masks have golden statistics, and a quicker map like it."""

from __future__ import annotations

import torch
from torch import Tensor

from vjepa.grid import Grid

GRID = Grid(8, 14, 14)


def square_pixels() -> Tensor:
    """A bright square of 32 pixels on black, 8 pixels to the right at every frame: (1, 3, 16, 224, 224)."""
    pixels = torch.zeros(1, 3, 16, 224, 224)
    for frame in range(16):
        pixels[:, :, frame, 96:128, 16 + 8 * frame : 48 + 8 * frame] = 1.0
    return pixels


def moving_spot(batch_size: int = 8) -> Tensor:
    """Motion maps (B, 8, 14, 14) of a spot of 2 x 2 tokens that moves to the right; each sample in its own rows."""
    motion = torch.zeros(batch_size, 8, 14, 14)
    for sample in range(batch_size):
        row = (3 * sample) % 12
        for step in range(8):
            motion[sample, step, row : row + 2, 2 + step : 4 + step] = 1.0
    return motion
