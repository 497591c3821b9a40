"""Pixelation, elastic distortion, and JPEG."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from torch.nn import functional

from vjepa.corruptions.base import BatchCorruption, ClipCorruption, Shape, side_scale
from vjepa.corruptions.filters import from_planes, to_planes


def pixelate(frames: Tensor, factor: float) -> Tensor:
    """Shrink by averaging boxes of whole pixels and enlarge again by repeating.

    Source: ImageNet-C (Hendrycks and Dietterich, arXiv 1903.12261), with the box filter of Pillow.
    Differs: rounded once and not after each axis.
    """
    rows, columns = (_boxes(side, max(1, int(side * factor))) for side in frames.shape[2:4])
    rows, columns = rows.to(frames.device), columns.to(frames.device)
    # Shares as counts: sums of whole numbers are the same in any order.
    total = (rows > 0).double() @ to_planes(frames).double() @ (columns > 0).double().T
    small = total / ((rows > 0).sum(1)[:, None] * (columns > 0).sum(1))
    source = [
        torch.from_numpy(((np.arange(side) + 0.5) * kept / side).astype(int)).to(frames.device)
        for side, kept in zip(frames.shape[2:4], small.shape[-2:], strict=True)
    ]
    return from_planes(small.index_select(-2, source[0]).index_select(-1, source[1]))


def elastic_transform(frames: Tensor, level: tuple[float, float, float], corners: Tensor, field: Tensor) -> Tensor:
    """Shear the frame and displace its pixels smoothly, the same way in all frames.

    ``level`` is (size of the displacement, its smoothness, largest move of the three points that fix the shear),
    in pixels at 224 px.

    Args:
        frames: (B, F, H_px, W_px, 3) uint8.
        level: as above.
        corners: (B, 3, 2) moves of the three points, x before y, in [-1, 1).
        field: (B, 2, H, W) displacements before smoothing, x before y, in [-1, 1).

    Source: ImageNet-C.
    Differs: shear and displacement are one interpolation and not two.
    """
    size, smoothness, shear = (length * side_scale(frames) for length in level)
    _, num_frames, height, width, _ = frames.shape
    smooth_rows, smooth_columns = (
        torch.from_numpy(_smoothing(side, smoothness)).to(frames.device) for side in (height, width)
    )
    moved = smooth_rows @ field.double() @ smooth_columns.T * size
    x = torch.arange(width, device=frames.device) + moved[:, 0]
    y = torch.arange(height, device=frames.device)[:, None] + moved[:, 1]
    affine = _inverse_shear(corners.double() * shear, height, width)
    points = torch.stack((x, y, torch.ones_like(x)), -1) @ affine[:, None]
    extent = torch.tensor([max(width - 1, 1), max(height - 1, 1)], device=frames.device)
    grid = (points / extent * 2 - 1).float()
    planes = to_planes(frames).flatten(1, 2).float()
    warped = functional.grid_sample(planes, grid, padding_mode="reflection", align_corners=True)
    return from_planes(warped.unflatten(1, (num_frames, 3)))


def _inverse_shear(moves: Tensor, height: int, width: int) -> Tensor:
    """(B, 3, 2) moves of three points about the centre -> (B, 3, 2) matrix from (x, y, 1) back to (x, y)."""
    reach = min(height, width) / 3
    offset = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]], dtype=torch.float64, device=moves.device)
    centre = torch.tensor([width // 2, height // 2], dtype=torch.float64, device=moves.device)
    points = (centre + offset * reach).expand_as(moves)
    moved = torch.cat((points + moves, torch.ones_like(moves[..., :1])), -1)
    return torch.linalg.solve(moved, points)


@lru_cache(maxsize=16)
def _smoothing(side: int, sigma: float) -> np.ndarray:
    """(side, side) matrix of a Gaussian filter cut at three sigma, mirrored at the edges."""
    return gaussian_filter1d(np.eye(side), sigma, axis=0, mode="reflect", truncate=3.0)


@lru_cache(maxsize=16)
def _boxes(side: int, kept: int) -> Tensor:
    """(kept, side) indicator of the pixels that each box averages."""
    centre, reach = (np.arange(kept) + 0.5) * side / kept, 0.5 * side / kept
    first, last = (centre - reach + 0.5).astype(int)[:, None], (centre + reach + 0.5).astype(int)[:, None]
    pixel = np.arange(side)
    return torch.from_numpy(((pixel >= first) & (pixel < last)).astype(float))


def jpeg_compression(clip: np.ndarray, quality: int, generator: np.random.Generator) -> np.ndarray:
    """Compress every frame by itself (4:2:0) at a quality from 1 to 100; draws nothing.

    Source: ImageNet-C.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    coded = [cv2.imencode(".jpg", frame[..., ::-1], options)[1] for frame in clip]
    return np.stack([np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1] for data in coded])


def _distortion(generator: np.random.Generator, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    corners = generator.random((3, 2), dtype=np.float32) * 2 - 1
    return corners, generator.random((2, *shape[1:]), dtype=np.float32) * 2 - 1


# ImageNet-C states these lengths as shares of 244.
_ELASTIC = tuple(
    (244 * size, 244 * smoothness, 244 * shear)
    for size, smoothness, shear in (
        (2, 0.7, 0.1),
        (2, 0.08, 0.2),
        (0.05, 0.01, 0.02),
        (0.07, 0.01, 0.02),
        (0.12, 0.01, 0.02),
    )
)
DIGITAL = (
    BatchCorruption("pixelate", "spatial", "model", "factor", (0.6, 0.5, 0.4, 0.3, 0.25), pixelate),
    BatchCorruption(
        "elastic_transform",
        "spatial",
        "model",
        "size, smoothness, shear (px)",
        _ELASTIC,
        elastic_transform,
        _distortion,
    ),
    ClipCorruption("jpeg_compression", "codec", "model", "quality", (25, 18, 15, 10, 7), jpeg_compression),
)
