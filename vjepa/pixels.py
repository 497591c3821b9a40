"""From decoded frames to encoder input, and the frozen encoder that evaluation calls."""

from __future__ import annotations

import copy
from functools import lru_cache

import torch
from einops import rearrange
from torch import Tensor, nn

from vjepa.nn import Encoder

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""ImageNet statistics of RGB in [0, 1], as in the study."""


def to_pixels(frames: Tensor) -> Tensor:
    """Normalise on the device.

    Args:
        frames: (B, F, H_px, W_px, 3) uint8.

    Returns:
        (B, 3, F, H_px, W_px) float32, (x / 255 - mean) / std by channel.

    Raises:
        ValueError: another shape or dtype.
    """
    if frames.dtype != torch.uint8 or frames.ndim != 5 or frames.shape[-1] != 3:
        raise ValueError(f"frames {tuple(frames.shape)} {frames.dtype}: expected (B, F, H, W, 3) uint8")
    scale, shift = channel_statistics(frames.device)
    planes = rearrange(frames, "b f h w c -> b c f h w")
    # Planes first: every pass after it, here and in the patch embedding, then reads memory in order.
    return planes.to(scale.dtype, memory_format=torch.contiguous_format).mul_(scale).sub_(shift)


@lru_cache(maxsize=8)
def channel_statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    """1 / (255 std) and mean / std, each (3, 1, 1, 1); a copy to the device at every step would wait for it."""
    with torch.inference_mode(False):
        mean, std = (torch.tensor(values, device=device).view(3, 1, 1, 1) for values in (MEAN, STD))
        return 1.0 / (255.0 * std), mean / std


class FrozenEncoder(nn.Module):
    """A copy of an encoder for evaluation: no gradient, no dropout.

    Args:
        encoder: copied.
        image_mode: ``repeat`` or ``single``, for clips of one frame.
        image_frames: frames of a repeated image.
        all_levels: return every level, shallow first, as training sees them, and not only the last.
    """

    def __init__(
        self, encoder: Encoder, image_mode: str = "repeat", image_frames: int = 16, all_levels: bool = False
    ) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder).requires_grad_(False).eval()
        self.image_mode, self.image_frames, self.all_levels = image_mode, image_frames, all_levels
        self.eval()

    @torch.no_grad()
    def forward(self, frames: Tensor) -> Tensor:
        """Encode uint8 frames (B, F, H_px, W_px, 3) into float32 tokens (B, T, S, E), or (B, T, S, D) of all levels.

        S = H*W tokens at each of T time steps.
        """
        if frames.shape[1] == 1 and self.image_mode == "repeat":
            frames = frames.expand(-1, self.image_frames, -1, -1, -1)
        pixels = to_pixels(frames)
        tokens = self.encoder.levels(pixels) if self.all_levels else self.encoder(pixels)
        return tokens.float().unflatten(1, (self.encoder.grid(pixels).time, -1))
