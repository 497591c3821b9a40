"""Three-axis rotary position embedding of V-JEPA 2.1.

Each attention head of width d gives ``a = 2 * (d // 3 // 2)`` channels to depth (time), ``a`` to height and
``a`` to width, in that order; what is left over is not rotated. Positions are those of the token in the full
grid, so a masked sequence is rotated as if nothing were missing.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from vjepa.grid import Grid

_BASE = 10000.0


def axis_channels(head_dim: int) -> int:
    """Channels that each of the three axes gets: the largest even number whose triple fits ``head_dim``."""
    return 2 * (head_dim // 3 // 2)


def axis_angles(positions: Tensor, channels: int) -> Tensor:
    """Rotation angles of one axis, one for each interleaved pair of its channels.

    Args:
        positions: (N,) positions, any real numbers.
        channels: even number of channels of the axis.

    Returns:
        (N, channels / 2) float32: ``positions * 10000 ** (-i / (channels / 2))`` for the pair i.
    """
    pairs = channels // 2
    omega = _BASE ** (-torch.arange(pairs, dtype=torch.float32, device=positions.device) / pairs)
    return positions.float()[:, None] * omega


def _scaled(positions: Tensor, length: int, reference: int | None) -> Tensor:
    """Stretch 0..length-1 to 0..reference-1; an axis of length one stays at 0."""
    if reference is None or length == 1:
        return positions.float()
    return positions * ((reference - 1) / (length - 1))


@lru_cache(maxsize=32)
def rotary_table(grid: Grid, head_dim: int, reference: int | None, device: torch.device) -> Tensor:
    """Cosines and sines of every token of a grid, in float32 whatever autocast says.

    Args:
        grid: token grid.
        head_dim: width of one attention head, even.
        reference: side G of the grid to whose range rows and columns are stretched (``interpolate_rope``);
            None leaves positions as they are. Time is never stretched.
        device: where the table lives.

    Returns:
        (N, head_dim / 2, 2): cosine and sine for each pair of channels; 1 and 0 for those that are not rotated.

    Source: the reference's RoPE attention. Differs: angles are float32 also under bf16 autocast.
    """
    # A table born in inference mode could not be used for training later.
    with torch.inference_mode(False), torch.no_grad():
        index = torch.arange(grid.num_tokens, device=device)
        row = index % grid.frame_tokens // grid.width
        channels = axis_channels(head_dim)
        angles = [
            axis_angles(index // grid.frame_tokens, channels),
            axis_angles(_scaled(row, grid.height, reference), channels),
            axis_angles(_scaled(index % grid.width, grid.width, reference), channels),
            torch.zeros(grid.num_tokens, head_dim // 2 - 3 * channels // 2, device=device),
        ]
        theta = torch.cat(angles, dim=-1)
        return torch.stack((theta.cos(), theta.sin()), dim=-1)


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Rotate interleaved channel pairs of queries or keys, (a, b) -> (a cos - b sin, b cos + a sin).

    Args:
        x: (..., head_dim).
        table: (..., head_dim / 2, 2), see ``rotary_table``; its leading axes are those of ``x`` or broadcast to them.

    Returns:
        Same shape and dtype as ``x``; the arithmetic is float32.
    """
    pairs = x.float().unflatten(-1, (-1, 2))
    if x.is_cuda:  # compilers fuse real arithmetic into one kernel, and leave complex numbers alone
        (a, b), (cos, sin) = pairs.unbind(-1), table.unbind(-1)
        turned = torch.stack((a * cos - b * sin, b * cos + a * sin), dim=-1)
    else:  # one pass over memory in place of five
        turned = torch.view_as_real(torch.view_as_complex(pairs) * torch.view_as_complex(table))
    return turned.flatten(-2).to(x.dtype)
