"""Shared arithmetic on (B, F, H, W, 3) uint8 clips, batched, the same on every device.

Filters work on integers in float64, which makes every partial sum exact: the result depends neither on the
order of summation nor on the layout of the batch, and a GPU agrees with the CPU bit for bit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from scipy.fft import next_fast_len
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional

_WEIGHT_UNITS = 2**20
GREY = 128


def to_uint8(values: Tensor) -> Tensor:
    """Round to the nearest grey level, halves to even; the values may be overwritten."""
    return values.round_().clamp_(0, 255).to(torch.uint8)


def to_planes(frames: Tensor) -> Tensor:
    """(B, F, H, W, 3) -> (B, F, 3, H, W) view."""
    return frames.movedim(-1, 2)


def from_planes(planes: Tensor) -> Tensor:
    """(B, F, 3, H, W) of any type -> (B, F, H, W, 3) uint8, rounded."""
    return to_uint8(planes).movedim(2, -1).contiguous()


def convolve(planes: Tensor, kernels: Tensor | np.ndarray, border: Literal["reflect", "edge"]) -> Tensor:
    """Correlate planes of integers with kernels, by the Fourier transform.

    Args:
        planes: (..., H, W), integers in [0, 255] of any type.
        kernels: (..., K, K), K odd, broadcast against the planes; normalised to a sum of one.
        border: mirrored about the outermost pixel, or that pixel repeated.

    Returns:
        (..., H, W) float64, not rounded.
    """
    height, width = planes.shape[-2:]
    weights = torch.as_tensor(kernels, dtype=torch.float64, device=planes.device)
    # Whole weights on whole pixels sum to whole numbers of 28 bits: rounding removes all error of the transform.
    weights = (weights / weights.sum((-2, -1), keepdim=True) * _WEIGHT_UNITS).round()
    padded = pad(planes, weights.shape[-1] // 2, border).double()
    size = (next_fast_len(padded.shape[-2], real=True), next_fast_len(padded.shape[-1], real=True))
    spectrum = torch.fft.rfft2(padded, s=size) * torch.fft.rfft2(weights, s=size).conj()
    sums = torch.fft.irfft2(spectrum, s=size)[..., :height, :width].round()
    return sums / weights.sum((-2, -1), keepdim=True)


def pad(planes: Tensor, margin: int, border: Literal["reflect", "edge"]) -> Tensor:
    """Extend (..., H, W) on all sides; unlike torch's, a margin may exceed the plane."""
    for dim in (-2, -1):
        source = np.pad(np.arange(planes.shape[dim]), margin, mode=border)
        planes = planes.index_select(dim, torch.from_numpy(source).to(planes.device))
    return planes


def blur_gaussian(frames: Tensor, sigma: float) -> Tensor:
    """Blur (B, F, H, W, 3) uint8 by a Gaussian cut at four sigma, edge pixels repeated."""
    radius = int(4 * sigma + 0.5)
    impulse = np.zeros((2 * radius + 1, 2 * radius + 1))
    impulse[radius, radius] = 1.0
    kernel = gaussian_filter(impulse, sigma, truncate=4.0)
    return from_planes(convolve(to_planes(frames), kernel, "edge"))


def zoom_in(planes: Tensor, factor: float) -> Tensor:
    """Enlarge the centre of (B, C, H, W) floats so that it fills the frame, by linear interpolation.

    Source: the zoom of ImageNet-C (arXiv 1903.12261): crop the ceiling of side/factor, enlarge, trim.
    """
    sides = planes.shape[-2:]
    crop = [int(np.ceil(side / factor)) for side in sides]
    enlarged = [max(side, round(kept * factor)) for side, kept in zip(sides, crop, strict=True)]
    planes = functional.interpolate(_centre(planes, crop), size=enlarged, mode="bilinear", align_corners=True)
    return _centre(planes, list(sides))


def _centre(planes: Tensor, sides: list[int]) -> Tensor:
    top, left = ((have - keep) // 2 for have, keep in zip(planes.shape[-2:], sides, strict=True))
    return planes[..., top : top + sides[0], left : left + sides[1]]


def pick(frames: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Take each output pixel from (row, column) of its own frame; positions outside repeat the edge.

    Args:
        frames: (B, F, H, W, 3).
        rows, columns: int64, broadcast together to (B, F, H, W).
    """
    height, width = frames.shape[2:4]
    source = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    index = source.flatten(2)[..., None].expand(*frames.shape[:2], -1, 3)
    return frames.flatten(2, 3).gather(2, index).view_as(frames)


@lru_cache
def disk_kernel(radius: float, alias_blur: float, scale: float) -> np.ndarray:
    """Kernel of a defocused point: a disk, slightly smoothed, made for 224 px and resized by ``scale``.

    Args:
        radius: of the disk at 224 px.
        alias_blur: sigma of the smoothing, over 3 x 3 pixels, or 5 x 5 for a radius above 8.
        scale: side / 224; at 1 the kernel is that of ImageNet-C.

    Returns:
        (K, K) float64 of sum one, K odd; of the right width even where the disk is smaller than a pixel, for which
        weights at its rim may be slightly negative.
    """
    # Larger frames need taps between those at 224 px.
    finer = max(1, int(np.ceil(scale)))
    reach = max(8, int(radius)) * finer
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disk = (x**2 + y**2 <= (radius * finer) ** 2).astype(float)
    disk = gaussian_filter(disk, alias_blur * finer, radius=(1 if radius <= 8 else 2) * finer, mode="mirror")
    # Each tap goes to its nearest pixel and the two beside that, so that its mean and its variance are kept.
    position = np.arange(-reach, reach + 1) * scale / finer
    nearest = np.rint(position).astype(int)
    offset = position - nearest
    share = np.zeros((2 * nearest[-1] + 3, 2 * reach + 1))
    tap = np.arange(2 * reach + 1)
    share[nearest + nearest[-1], tap] = offset * (offset - 1) / 2
    share[nearest + nearest[-1] + 1, tap] = 1 - offset**2
    share[nearest + nearest[-1] + 2, tap] = offset * (offset + 1) / 2
    kernel = share @ disk @ share.T
    return kernel / kernel.sum()


def line_kernels(angles: Tensor, radius: float, sigma: float, scale: float) -> Tensor:
    """Kernels of a camera that moves along a line: one side of a Gaussian, as ImageMagick draws it.

    Args:
        angles: any shape, degrees.
        radius, sigma: in pixels at 224 px.
        scale: side / 224.

    Returns:
        (*angles.shape, K, K) float64 on the device of ``angles``, not normalised.
    """
    width = 2 * max(1, int(radius * scale + 0.5)) + 1
    taps = np.arange(width)
    weights = np.exp(-(taps**2) / (2 * (sigma * scale) ** 2))
    # On the CPU whatever the device, so that no tap depends on whose sine it is.
    radians = np.deg2rad(angles.double().cpu().numpy()).reshape(-1, 1)
    rows = np.ceil(taps * np.sin(radians) - 0.5).astype(int) + width - 1
    columns = np.ceil(taps * np.cos(radians) - 0.5).astype(int) + width - 1
    kernels = np.zeros((len(radians), 2 * width - 1, 2 * width - 1))
    np.add.at(kernels, (np.arange(len(radians))[:, None], rows, columns), weights)
    return torch.from_numpy(kernels).to(angles.device).view(*angles.shape, 2 * width - 1, 2 * width - 1)
