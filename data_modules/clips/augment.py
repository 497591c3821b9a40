"""Spatial views of a clip: random resized crops and flips for training, the centre for evaluation.

A view is drawn once per clip and applied to every frame, on uint8 and from a view of the decoder's memory;
normalisation happens on the device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from vjepa.errors import UserError

Image = NDArray[np.uint8]

_ATTEMPTS = 10


class Draws(Protocol):
    """The part of ``numpy.random.Generator`` that random views use."""

    def uniform(self, low: float, high: float) -> float:
        """Return a number in [low, high)."""

    def integers(self, low: int, high: int) -> int:
        """Return a whole number in [low, high)."""


@dataclass(frozen=True)
class CropView:
    """A part of a frame, resized to a square, perhaps mirrored.

    Args:
        top, left, height, width: of the part in pixels, inside the frame.
        size: height and width of the result.
        flip: left and right are exchanged.
    """

    top: int
    left: int
    height: int
    width: int
    size: int
    flip: bool = False

    def __call__(self, image: Image) -> Image:
        """(H, W, 3) -> (size, size, 3) uint8."""
        part = image[self.top : self.top + self.height, self.left : self.left + self.width]
        resized = cv2.resize(part, (self.size, self.size), interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.flip(resized, 1) if self.flip else resized, dtype=np.uint8)


@dataclass(frozen=True)
class CentreView:
    """The middle of a frame whose short side has been resized; one per frame size.

    The long side is rounded down, as in the study; the short side is exact.

    Args:
        frame_height, frame_width: of the frame in pixels.
        size: height and width of the result.
    """

    frame_height: int
    frame_width: int
    size: int

    def __call__(self, image: Image) -> Image:
        """(H, W, 3) -> (size, size, 3) uint8."""
        short = min(self.frame_height, self.frame_width)
        height, width = self.frame_height * self.size // short, self.frame_width * self.size // short
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        top, left = (height - self.size) // 2, (width - self.size) // 2
        return np.asarray(resized[top : top + self.size, left : left + self.size], dtype=np.uint8)


@dataclass(frozen=True)
class SideViews:
    """Several squares of a frame whose short side has been resized, evenly spaced along its long side.

    The first is the centre, as ``CentreView`` has it; the others follow from the start of the side to its end.

    Args:
        frame_height, frame_width: of the frame in pixels.
        size: height and width of a square.
        count: K, odd, >= 3.
    """

    frame_height: int
    frame_width: int
    size: int
    count: int

    def __call__(self, image: Image) -> Image:
        """(H, W, 3) -> (K * size, size, 3) uint8, one square below the other."""
        short = min(self.frame_height, self.frame_width)
        height, width = self.frame_height * self.size // short, self.frame_width * self.size // short
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        last = self.count - 1
        places = [last // 2, *(place for place in range(self.count) if place != last // 2)]
        corners = [((height - self.size) * place // last, (width - self.size) * place // last) for place in places]
        squares = [resized[top : top + self.size, left : left + self.size] for top, left in corners]
        return np.asarray(np.concatenate(squares), dtype=np.uint8)


@dataclass(frozen=True)
class Augmentation:
    """Random resized crop, the same for all frames of a clip, and a horizontal flip with probability 1/2.

    The area of the crop is uniform in ``scale`` (as a ratio of the frame's), its aspect ratio (width : height) uniform
    on a log scale; ten draws that do not fit the frame fall back to its centre.

    Args:
        scale: least and most area, 0 < least <= most <= 1.
        aspect_ratio: least and most aspect ratio, 0 < least <= most.
        horizontal_flip: switch off where left and right tell classes apart.

    Raises:
        UserError: a range is empty or out of bounds.

    Source: the study's transforms; golden case data.npz, video_crop_i_j_h_w and video_out.
    """

    scale: tuple[float, float] = (0.3, 1.0)
    aspect_ratio: tuple[float, float] = (0.75, 1.35)
    horizontal_flip: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise UserError(f"scale is {list(self.scale)}; expected 0 < least <= most <= 1")
        if not 0 < self.aspect_ratio[0] <= self.aspect_ratio[1] < math.inf:
            raise UserError(f"aspect_ratio is {list(self.aspect_ratio)}; expected 0 < least <= most")

    def view(self, height: int, width: int, size: int, draws: Draws) -> CropView:
        """Draw a view of frames of ``height`` x ``width`` pixels that yields ``size`` x ``size``."""
        box = self.box(height, width, draws)
        return CropView(*box, size, flip=self.horizontal_flip and draws.uniform(0.0, 1.0) < 0.5)

    def box(self, height: int, width: int, draws: Draws) -> tuple[int, int, int, int]:
        """Draw a crop of a frame: (top, left, height, width) in pixels."""
        low, high = self.aspect_ratio
        for _ in range(_ATTEMPTS):
            area = draws.uniform(*self.scale) * height * width
            aspect = math.exp(draws.uniform(math.log(low), math.log(high)))
            crop_width, crop_height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < crop_width <= width and 0 < crop_height <= height:
                top = int(draws.integers(0, height - crop_height + 1))
                left = int(draws.integers(0, width - crop_width + 1))
                return top, left, crop_height, crop_width
        crop_height, crop_width = height, width
        if width / height < low:
            crop_height = round(width / low)
        elif width / height > high:
            crop_width = round(height * high)
        return (height - crop_height) // 2, (width - crop_width) // 2, crop_height, crop_width
