"""Valid pairs: context tokens whose successor one time step later is context too."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vjepa.grid import Grid


@dataclass(frozen=True)
class Pairs:
    """Temporal pairs of one mask, one entry per context token so that shapes never depend on data.

    Args:
        valid: (B, K) bool, whether token k at time t has its successor at t + 1 in the context.
        successor: (B, K) int64, position of the successor within the context; 0 where there is none.
        now: (B, K) int64, token index in the grid at t.
        next: (B, K) int64, token index at t + 1; equals ``now`` on the last time step.
    """

    valid: Tensor
    successor: Tensor
    now: Tensor
    next: Tensor


def temporal_pairs(indices: Tensor, grid: Grid) -> Pairs:
    """Find the pairs of one mask.

    Args:
        indices: (B, K) context tokens in any order.
        grid: token grid.
    """
    batch, kept = indices.shape
    later = indices + grid.frame_tokens
    inside = later < grid.num_tokens
    # (B, N): position within the context of every grid token, -1 where it is not context.
    position = indices.new_full((batch, grid.num_tokens), -1)
    position.scatter_(1, indices, torch.arange(kept, device=indices.device).expand(batch, -1))
    later = torch.where(inside, later, indices)
    successor = position.gather(1, later)
    return Pairs(inside & (successor >= 0), successor.clamp(min=0), indices, later)
