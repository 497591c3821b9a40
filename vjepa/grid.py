"""The token grid of a clip, and how tokens are picked from it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool3d


@dataclass(frozen=True)
class Grid:
    """A token grid in raster order: time slowest, then row, then column.

    Args:
        time, height, width: number of token positions along each axis, all >= 1.
    """

    time: int
    height: int
    width: int

    @property
    def num_tokens(self) -> int:
        """T*H*W."""
        return self.time * self.height * self.width

    @property
    def frame_tokens(self) -> int:
        """H*W, the distance in raster order between a token and the one a time step later."""
        return self.height * self.width


def gather_tokens(tokens: Tensor, indices: Tensor) -> Tensor:
    """Pick tokens by index: (B, N, C) and (B, K) -> (B, K, C)."""
    # Whole rows of (B*N, C) are copied; a gather along one axis looks up every channel.
    first = torch.arange(0, tokens.shape[0] * tokens.shape[1], tokens.shape[1], device=tokens.device)
    rows = (indices + first[:, None]).flatten()
    return tokens.flatten(0, 1).index_select(0, rows).unflatten(0, indices.shape)


def pool_to_grid(values: Tensor, grid: Grid) -> Tensor:
    """Area mean of pixels over the tile of each token.

    Args:
        values: (B, C, F, H_px, W_px), of any number of frames and pixels; where they are a multiple of the grid, every
            pixel counts in exactly one token.
        grid: token grid.

    Returns:
        (B, C, T, H, W) in the type of ``values``.
    """
    return adaptive_avg_pool3d(values, (grid.time, grid.height, grid.width))
