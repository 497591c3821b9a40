"""Snow and rain."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vjepa.corruptions.base import REFERENCE_SIDE, BatchCorruption, Shape, side_scale
from vjepa.corruptions.filters import convolve, line_kernels, pad, to_planes, to_uint8, zoom_in
from vjepa.corruptions.light import channel_means

_RAIN_GREY = 220
_MOST_DROPS_AREA = 400
_SLANT = 10


def snow(frames: Tensor, level: tuple[float, ...], normal: Tensor, angle: Tensor) -> Tensor:
    """Whiten the scene and add flakes, smeared by their fall, and the same flakes turned by 180 degrees.

    ``level`` is (mean and deviation of the noise that flakes are cut from, their size, the cut, radius and sigma of
    the smear, weight of the unwhitened scene). The flakes are the same in all frames.

    Source: ImageNet-C.
    """
    mean, deviation, size, cut, radius, sigma, kept = level
    scale = side_scale(frames)
    flakes = zoom_in((normal * deviation + mean)[:, None], max(1.0, size * scale))
    flakes = (torch.where(flakes < cut, 0, flakes).clamp_(0, 1) * 255).round()
    flakes = convolve(flakes, line_kernels(angle, radius, sigma, scale), "edge").round().float()
    flakes = (flakes + flakes.flip(-2, -1))[..., None]
    grey = (frames * torch.tensor([0.299, 0.587, 0.114], device=frames.device)).sum(-1, keepdim=True)
    whitened = torch.maximum(frames.float(), grey * 1.5 + 127.5)
    return to_uint8(frames * kept + whitened * (1 - kept) + flakes)


def rain(frames: Tensor, level: tuple[float, float, float], drops: Tensor, slant: Tensor) -> Tensor:
    """Draw thin streaks, new ones in every frame, and darken; ``level`` (length, area per drop, contrast).

    A slant, drawn for each frame, moves the streaks sideways, while they themselves lean by one pixel.

    Args:
        frames: (B, F, H_px, W_px, 3) uint8.
        level: as above.
        drops: (B, F, N, 2) places in [0, 1), of which a severity uses as many as its area per drop allows.
        slant: (B, F) in [0, 1).

    Source: Mini SSV2-C, with the slant as it is there.
    Differs: a streak is drawn with its lower half one pixel to the left; areas scale with the square of the side.
    """
    length, area_per_drop, factor = level
    streaks = _streaks(frames, drops, slant, length, area_per_drop)
    mean = channel_means(frames).mean(-1, keepdim=True)
    lit = frames + (streaks * (1 - frames / 255) * (1 - mean / 255)).floor()
    blurred = functional.avg_pool2d(pad(to_planes(lit).flatten(0, 1), 1, "reflect"), 3, stride=1).round()
    blurred = blurred.unflatten(0, frames.shape[:2]).movedim(2, -1)
    wet = blurred * (streaks / 255) + frames * (1 - streaks / 255)
    means = wet.double().mean((2, 3), keepdim=True).float()
    return to_uint8((wet - means) * factor + means)


def _streaks(frames: Tensor, drops: Tensor, slant: Tensor, length: float, area_per_drop: float) -> Tensor:
    """(B, F, H, W, 1) float32: brightness of the streaks, 0 between them."""
    height, width = frames.shape[2:4]
    scale = side_scale(frames)
    count = _num_drops(height, width, area_per_drop)
    reach = max(1, int(length * scale + 0.5))
    lean = (slant * (2 * _SLANT)).floor().sub_(_SLANT).mul_(scale).round_()[..., None]
    left = lean.clamp(max=0)
    column = (left + drops[:, :, :count, 0] * (width - lean.abs())).floor().long()
    row = (drops[:, :, :count, 1] * max(1, height - reach)).floor().long()
    step = torch.arange(reach + 1, device=frames.device)
    rows, columns = row[..., None] + step, column[..., None] - (step > reach / 2).long()
    outside = (rows >= height) | (columns < 0) | (columns >= width)
    place = torch.where(outside, height * width, rows * width + columns).flatten(2)
    canvas = torch.zeros(*frames.shape[:2], height * width + 1, device=frames.device)
    canvas.scatter_(2, place, float(_RAIN_GREY))
    return canvas[..., :-1].unflatten(2, (height, width))[..., None]


def _num_drops(height: int, width: int, area_per_drop: float) -> int:
    scale = min(height, width) / REFERENCE_SIDE
    return max(1, int(height * width / (area_per_drop * scale**2)))


def _flakes(generator: np.random.Generator, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    return generator.standard_normal(shape[1:], dtype=np.float32), generator.uniform(-135, -45, 1)


def _drops(generator: np.random.Generator, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    count = _num_drops(*shape[1:], _MOST_DROPS_AREA)
    return generator.random((shape[0], count, 2), dtype=np.float32), generator.random(shape[0], dtype=np.float32)


_SNOW = (
    (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
    (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
    (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
    (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
    (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
)
_RAIN = ((10, 770, 0.8), (30, 770, 0.8), (60, 770, 0.7), (60, 500, 0.6), (80, 400, 0.5))
PRECIPITATION = (
    BatchCorruption(
        "snow",
        "spatial",
        "model",
        "mean, deviation, size (px), cut, radius, sigma (px), weight of frame",
        _SNOW,
        snow,
        _flakes,
    ),
    BatchCorruption("rain", "spatial", "model", "length (px), px² per drop, contrast", _RAIN, rain, _drops),
)
