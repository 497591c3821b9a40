"""From decoded frames to what a foreign model was trained on: its size, its mean and its standard deviation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

IMAGES_AT_A_TIME = 64
"""Images resized and encoded together; a batch of small clips would come to a thousand large images at once."""


def in_pieces(encode: Callable[[Tensor], Tensor], frames: Tensor) -> Tensor:
    """Encode images (N, H_px, W_px, 3), or clips (N, F, H_px, W_px, 3), some at a time."""
    step = IMAGES_AT_A_TIME if frames.ndim == 4 else max(1, IMAGES_AT_A_TIME // frames.shape[1])
    return torch.cat([encode(piece) for piece in frames.split(step)])


class Preparation(nn.Module):
    """Resizes and normalises images on their device.

    The whole frame is resized: clips were cropped when they were read, alike for every encoder. Where the sizes agree,
    pixels stay as they are.

    Args:
        size: height and width that the model takes, in pixels.
        mean, std: of red, green and blue in [0, 1].
        interpolation: ``bicubic`` or ``bilinear``, with antialiasing.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, size: tuple[int, int], mean: Sequence[float], std: Sequence[float], interpolation: str = "bicubic"
    ) -> None:
        super().__init__()
        self.size, self.interpolation = size, interpolation
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(N, H_px, W_px, 3) uint8 -> (N, 3, h, w) float32, (x / 255 - mean) / std by channel."""
        pixels = images.permute(0, 3, 1, 2).float()
        if pixels.shape[2:] != self.size:
            # A bicubic kernel overshoots what a picture can hold.
            pixels = F.interpolate(pixels, self.size, mode=self.interpolation, antialias=True).clamp(0, 255)
        return (pixels / 255.0 - self.mean) / self.std

    @property
    def facts(self) -> list[object]:
        """All of it as plain data."""
        return [list(self.size), self.mean.flatten().tolist(), self.std.flatten().tolist(), self.interpolation]
