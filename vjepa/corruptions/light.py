"""Contrast, brightness, saturation, and a box in front of the scene."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vjepa.corruptions.base import BatchCorruption, Shape
from vjepa.corruptions.filters import GREY, to_uint8


def contrast(frames: Tensor, factor: float) -> Tensor:
    """Draw every value towards the mean m of its channel in its frame: x' = m + ``factor`` (x - m).

    Source: Mini SSV2-C (Yi et al., arXiv 2110.06513), factors .5 to .1; ImageNet-C's, .4 to .05, are
    ``contrast_image``.
    """
    return to_uint8(frames.float().mul_(factor).add_(channel_means(frames) * (1 - factor)))


def channel_means(frames: Tensor) -> Tensor:
    """(B, F, 1, 1, 3) float32 means of each channel of each frame, from exact sums."""
    total = frames.sum((2, 3), keepdim=True, dtype=torch.int64)
    return (total.double() / (frames.shape[2] * frames.shape[3])).float()


def brightness(frames: Tensor, shift: float) -> Tensor:
    """Raise the V of HSV by ``shift`` (on the scale [0, 1]), up to 1.

    Hue and saturation stay when all channels are scaled alike, so no colour is converted.

    Source: ImageNet-C (Hendrycks and Dietterich, arXiv 1903.12261).
    """
    value = frames.amax(-1, keepdim=True).float()
    raised = (value + 255 * shift).clamp_(max=255)
    return to_uint8(torch.where(value > 0, frames * (raised / value.clamp(min=1)), raised))


def saturate(frames: Tensor, level: tuple[float, float]) -> Tensor:
    """Map the S of HSV to ``factor * S + shift``, clipped to [0, 1]; ``level`` is (factor, shift).

    Greys have no hue and count as red. The levels first take colour away and then exaggerate it.

    Source: Mini SSV2-C.
    """
    factor, shift = level
    value = frames.amax(-1, keepdim=True).float()
    chroma = value - frames.amin(-1, keepdim=True)
    saturation = chroma / value.clamp(min=1)
    wanted = (saturation * factor + shift).clamp_(0, 1)
    coloured = value - (value - frames) * (wanted / saturation.clamp(min=1e-6))
    red = value * (1 - wanted * torch.tensor([0.0, 1.0, 1.0], device=frames.device))
    return to_uint8(torch.where(chroma > 0, coloured, red))


def occlusion_block(frames: Tensor, area: float, uniform: Tensor) -> Tensor:
    """Cover a share ``area`` of every frame by a grey box that drifts along a line at constant speed.

    The box has the proportions of the frame and stays within it; its places at the first and at the last frame are
    uniform draws, and a weaker one lies inside a stronger one.

    Args:
        frames: (B, F, H_px, W_px, 3) uint8.
        area: share, 0 to 1.
        uniform: (B, 2, 2) place at the first and the last frame, from 0 (top, left) to 1.

    Source: the idea of the moving block of arXiv 2605.15618; the levels are the protocol's.
    """
    _, num_frames, height, width, _ = frames.shape
    time = torch.linspace(0, 1, num_frames, dtype=torch.float64, device=frames.device)[:, None]
    place = uniform[:, None, 0] * (1 - time) + uniform[:, None, 1] * time
    rows = _covered(place[..., 0, None], height, area)
    columns = _covered(place[..., 1, None], width, area)
    return frames.masked_fill((rows[..., :, None] & columns[..., None, :])[..., None], GREY)


def _covered(place: Tensor, side: int, area: float) -> Tensor:
    """(B, F, 1) -> (B, F, side) bool: positions behind the box along one axis."""
    length = int(side * area**0.5 + 0.5)
    first = (place * (side - length) + 0.5).floor()
    position = torch.arange(side, device=place.device)
    return (position >= first) & (position < first + length)


def _places(generator: np.random.Generator, shape: Shape) -> tuple[np.ndarray]:
    return (generator.random((2, 2)),)


LIGHT = (
    BatchCorruption("contrast", "spatial", "model", "factor", (0.5, 0.4, 0.3, 0.2, 0.1), contrast),
    BatchCorruption("contrast_image", "spatial", "model", "factor", (0.4, 0.3, 0.2, 0.1, 0.05), contrast),
    BatchCorruption("brightness", "spatial", "model", "shift of V", (0.1, 0.2, 0.3, 0.4, 0.5), brightness),
    BatchCorruption(
        "saturate",
        "spatial",
        "model",
        "factor, shift of S",
        ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
        saturate,
    ),
    BatchCorruption(
        "occlusion_block", "spatial", "model", "share of the area", (0.1, 0.2, 0.3, 0.4, 0.5), occlusion_block, _places
    ),
)
