"""Cameras that are turned or shaken."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vjepa.corruptions.base import BatchCorruption, Shape, side_scale
from vjepa.corruptions.filters import pick


def static_rotation(frames: Tensor, degrees: float) -> Tensor:
    """Turn all frames about their centre, counter-clockwise; the corners become black.

    Source: SSv2-P (Schiappa et al., arXiv 2207.01398).
    """
    return _rotate(frames, torch.full((1, 1), degrees))


def variable_rotation(frames: Tensor, largest: int, uniform: Tensor) -> Tensor:
    """Turn every frame by another whole number of degrees up to ``largest`` either way.

    Source: SSv2-P.
    """
    return _rotate(frames, (uniform * (2 * largest + 1)).floor() - largest)


def _rotate(frames: Tensor, degrees: Tensor) -> Tensor:
    """Take the nearest pixel; ``degrees`` (B or 1, F or 1)."""
    height, width = frames.shape[2:4]
    # Sines on the CPU whatever the device; fifteen digits make right angles exact.
    radians = np.deg2rad(degrees.double().cpu().numpy())[..., None, None]
    cosine, sine = (torch.from_numpy(np.round(f(radians), 15)).to(frames.device) for f in (np.cos, np.sin))
    y = torch.arange(height, device=frames.device, dtype=torch.float64)[:, None] + (0.5 - height / 2)
    x = torch.arange(width, device=frames.device, dtype=torch.float64) + (0.5 - width / 2)
    columns = (x * cosine - y * sine + width / 2).floor().long()
    rows = (x * sine + y * cosine + height / 2).floor().long()
    outside = (rows < 0) | (rows >= height) | (columns < 0) | (columns >= width)
    return pick(frames, rows, columns).masked_fill_(outside[..., None], 0)


def translation(frames: Tensor, largest: int, uniform: Tensor) -> Tensor:
    """Move every frame up and to the left by another number of pixels below ``largest`` (at 224 px).

    Source: SSv2-P, where the crop from a larger frame moves.
    Differs: a clip that is already cropped has nothing beyond its edge, which is repeated instead.
    """
    reach = max(1, int(largest * side_scale(frames) + 0.5))
    shift = (uniform * reach).long()[..., None, None]
    rows = torch.arange(frames.shape[2], device=frames.device)[:, None]
    columns = torch.arange(frames.shape[3], device=frames.device)
    return pick(frames, rows + shift[:, :, 0], columns + shift[:, :, 1])


def _per_frame(generator: np.random.Generator, shape: Shape) -> tuple[np.ndarray]:
    return (generator.random(shape[0]),)


def _pairs_per_frame(generator: np.random.Generator, shape: Shape) -> tuple[np.ndarray]:
    return (generator.random((shape[0], 2)),)


CAMERA = (
    BatchCorruption("static_rotation", "spatial", "model", "degrees", (7.5, 15, 30, 45, 90), static_rotation),
    BatchCorruption(
        "variable_rotation", "spatial", "model", "most degrees", (7, 13, 19, 25, 31), variable_rotation, _per_frame
    ),
    BatchCorruption(
        "translation", "spatial", "model", "limit (px)", (8, 16, 24, 32, 40), translation, _pairs_per_frame
    ),
)
