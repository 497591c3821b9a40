"""What an evaluation asks of an encoder, and the control that has learned nothing: raw pixels."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn


class FrozenEncoder(Protocol):
    """Turns clips into tokens and never changes."""

    def __call__(self, frames: Tensor, /) -> Tensor:
        """Encode.

        Args:
            frames: (B, F, H_px, W_px, 3) uint8.

        Returns:
            (B, T, S, E) float32: S tokens at each of T time steps.
        """
        ...


class PixelEncoder(nn.Module):
    """Cuts a clip into the tubelets an encoder would see and returns their pixels in [0, 1].

    Args:
        patch: side of a token in pixels; divides height and width.
        tubelet: frames of a token; divides the number of frames.
    """

    def __init__(self, patch: int, tubelet: int) -> None:
        super().__init__()
        self.patch = patch
        self.tubelet = tubelet

    def forward(self, frames: Tensor) -> Tensor:
        """(B, F, H_px, W_px, 3) uint8 -> (B, T, S, tubelet*patch*patch*3) float32.

        Raises:
            ValueError: the clip does not divide into tubelets of this size.
        """
        batch, num_frames, height, width, channels = frames.shape
        if num_frames % self.tubelet or height % self.patch or width % self.patch:
            raise ValueError(
                f"clip of shape {tuple(frames.shape)} does not divide into tubelets of "
                f"{self.tubelet} x {self.patch} x {self.patch}"
            )
        time, rows, columns = num_frames // self.tubelet, height // self.patch, width // self.patch
        cut = frames.reshape(batch, time, self.tubelet, rows, self.patch, columns, self.patch, channels)
        # (B, T, t, H, p, W, p, 3) -> (B, T, H, W, t, p, p, 3)
        tokens = cut.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(batch, time, rows * columns, -1)
        return tokens.to(torch.float32) / 255.0
