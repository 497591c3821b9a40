"""Blurs within a frame."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vjepa.corruptions.base import BatchCorruption, Shape, side_scale
from vjepa.corruptions.filters import (
    blur_gaussian,
    convolve,
    disk_kernel,
    from_planes,
    line_kernels,
    pick,
    to_planes,
    zoom_in,
)

_MOTION = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))
_MOST_GLASS_PASSES = 3


def defocus_blur(frames: Tensor, level: tuple[float, float]) -> Tensor:
    """Spread every pixel over a disk; ``level`` is (radius, smoothing of its rim) in pixels at 224 px.

    The rim is smoothed by a Gaussian of that sigma over 3 x 3 pixels, or 5 x 5 for a radius above 8; frames are
    mirrored at their edges. The same for all frames.

    Source: ImageNet-C (Hendrycks and Dietterich, arXiv 1903.12261).
    """
    kernel = disk_kernel(*level, side_scale(frames))
    return from_planes(convolve(to_planes(frames), kernel, "reflect"))


def motion_blur(frames: Tensor, level: tuple[float, float], angle: Tensor) -> Tensor:
    """Smear along a line, by one side of a Gaussian; ``level`` is (radius, sigma), the angle within 45 degrees.

    Args:
        frames: (B, F, H_px, W_px, 3) uint8.
        level: as above, in pixels at 224 px.
        angle: degrees, (B, 1) for one a clip or (B, F) for one a frame.

    Source: ImageNet-C (one angle an image); SSv2-P (Schiappa et al., arXiv 2207.01398) redraws it in every frame.
    """
    kernels = line_kernels(angle, *level, side_scale(frames))
    return from_planes(convolve(to_planes(frames), kernels[:, :, None], "edge"))


def zoom_blur(frames: Tensor, level: tuple[float, float]) -> Tensor:
    """Average the frame with its enlargements by 1, 1 + step, ... up to a factor; ``level`` (factor, step).

    Source: ImageNet-C.
    """
    largest, step = level
    planes = to_planes(frames).flatten(1, 2).float()
    total = planes.clone()
    count = int((largest - 1) / step + 1e-6) + 1
    for number in range(count):
        total += zoom_in(planes, 1 + number * step)
    return from_planes((total / (count + 1)).unflatten(1, (-1, 3)))


def glass_blur(frames: Tensor, level: tuple[float, int, int], uniform: Tensor) -> Tensor:
    """Blur, take every pixel from a random neighbour, blur again; ``level`` (sigma, distance, repetitions).

    Source: ImageNet-C.
    Differs: all pixels are displaced at once and not one after the other; the same way in all frames.
    """
    sigma, distance, passes = level
    scale = side_scale(frames)
    reach = max(1, int(distance * scale + 0.5))
    rows = torch.arange(frames.shape[2], device=frames.device)[:, None]
    columns = torch.arange(frames.shape[3], device=frames.device)
    frames = blur_gaussian(frames, sigma * scale)
    for shift in (uniform[:, :passes] * (2 * reach)).long().sub_(reach).unbind(1):
        frames = pick(frames, rows + shift[:, None, 0], columns + shift[:, None, 1])
    return blur_gaussian(frames, sigma * scale)


def _angle_of_clip(generator: np.random.Generator, shape: Shape) -> tuple[np.ndarray]:
    return (generator.uniform(-45, 45, 1),)


def _angle_of_frames(generator: np.random.Generator, shape: Shape) -> tuple[np.ndarray]:
    return (generator.uniform(-45, 45, shape[0]),)


def _displacements(generator: np.random.Generator, shape: Shape) -> tuple[np.ndarray]:
    return (generator.random((_MOST_GLASS_PASSES, 2, *shape[1:]), dtype=np.float32),)


BLUR = (
    BatchCorruption(
        "defocus_blur",
        "spatial",
        "model",
        "radius, rim (px)",
        ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
        defocus_blur,
    ),
    BatchCorruption("motion_blur", "spatial", "model", "radius, sigma (px)", _MOTION, motion_blur, _angle_of_clip),
    BatchCorruption(
        "motion_blur_per_frame", "spatial", "model", "radius, sigma (px)", _MOTION, motion_blur, _angle_of_frames
    ),
    BatchCorruption(
        "zoom_blur",
        "spatial",
        "model",
        "largest factor, step",
        ((1.10, 0.01), (1.15, 0.01), (1.20, 0.02), (1.25, 0.02), (1.30, 0.03)),
        zoom_blur,
    ),
    BatchCorruption(
        "glass_blur",
        "spatial",
        "model",
        "sigma, distance (px), passes",
        ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
        glass_blur,
        _displacements,
    ),
)
