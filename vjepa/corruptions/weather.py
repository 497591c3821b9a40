"""Fog, and frost, from fractal landscapes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vjepa.corruptions.base import BatchCorruption, Shape
from vjepa.corruptions.filters import to_uint8

_FROST_TINT = (0.80, 0.93, 1.0)
_FROST_DECAY = 1.5


def fog(frames: Tensor, level: tuple[float, float], uniform: Tensor) -> Tensor:
    """Add one plasma field to all frames and rescale each by its brightest value; ``level`` (amount, decay).

    x' = (x + a P) M / (M + a), on the scale [0, 1], with the amount a, the greatest value M of the frame, and the
    fractal field P, from 0 to 1, of the diamond-square algorithm with the given decay of its roughness.

    Source: Mini SSV2-C (Yi et al., arXiv 2110.06513), ImageNet-C's fog constant over the clip.
    """
    amount, decay = level
    field = plasma(uniform, decay)[:, None, : frames.shape[2], : frames.shape[3], None]
    brightest = frames.amax((2, 3, 4), keepdim=True).double() / 255
    return to_uint8((frames + 255 * amount * field) * (brightest / (brightest + amount)))


def plasma(uniform: Tensor, decay: float) -> Tensor:
    """Turn a field of uniform numbers into a fractal landscape, by the diamond-square algorithm.

    Every point is the mean of four neighbours that are already set plus its own number, whose weight shrinks by
    ``decay`` squared each time that the grid becomes twice as fine.

    Args:
        uniform: (B, S, S) in [0, 1), S a power of two >= 2; what lies beyond an edge is the opposite one.
        decay: > 1; smaller is rougher.

    Returns:
        (B, S, S) float64 in [0, 1], reaching both ends.

    Source: ImageNet-C (Hendrycks and Dietterich, arXiv 1903.12261).
    """
    wobble = uniform.double() * 2 - 1
    field = torch.zeros_like(wobble)
    weight, step = 100.0, field.shape[-1]
    while step >= 2:
        on, between = slice(0, None, step), slice(step // 2, None, step)
        squares = field[:, on, on]
        squares = squares + squares.roll(-1, 1)
        squares = squares + squares.roll(-1, 2)
        field[:, between, between] = squares / 4 + weight**2 * wobble[:, between, between]
        centres, corners = field[:, between, between], field[:, on, on]
        across = centres + centres.roll(1, 1) + (corners + corners.roll(-1, 2))
        down = centres + centres.roll(1, 2) + (corners + corners.roll(-1, 1))
        field[:, on, between] = across / 4 + weight**2 * wobble[:, on, between]
        field[:, between, on] = down / 4 + weight**2 * wobble[:, between, on]
        weight, step = weight / decay, step // 2
    field -= field.amin((1, 2), keepdim=True)
    return field / field.amax((1, 2), keepdim=True)


def frost(frames: Tensor, level: tuple[float, float], uniform: Tensor) -> Tensor:
    """Mix every frame with ice on the glass; ``level`` is (weight of the frame, weight of the ice).

    Source: the weights of ImageNet-C.
    Differs: the ice is a procedural texture, the ridges of a plasma field in the mean colour of the six photographs
    that ImageNet-C crops from; figures do not compare with those on the photographs.
    """
    clear, ice = level
    ridges = 1 - (2 * plasma(uniform, _FROST_DECAY) - 1).abs()
    tint = torch.tensor(_FROST_TINT, dtype=torch.float64, device=frames.device)
    texture = (255 * ridges[:, None, : frames.shape[2], : frames.shape[3], None] * tint).round()
    return to_uint8(frames * clear + texture * ice)


def _field(generator: np.random.Generator, shape: Shape) -> tuple[np.ndarray]:
    side = max(2, 1 << (max(shape[1:]) - 1).bit_length())
    return (generator.random((side, side), dtype=np.float32),)


_FOG = ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))
_FROST = ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))
WEATHER = (
    BatchCorruption("fog", "spatial", "model", "amount, decay", _FOG, fog, _field),
    BatchCorruption("frost", "spatial", "model", "weight of frame, of ice", _FROST, frost, _field),
)
