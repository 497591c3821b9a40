"""Three-axis rotary position embedding of V-JEPA 2.1, and that of V-JEPA 2.

Each attention head of width d gives ``a = 2 * (d // 3 // 2)`` channels to depth (time), ``a`` to height and
``a`` to width, in that order; what is left over is not rotated. Positions are those of the token in the full
grid, so a masked sequence is rotated as if nothing were missing.

``v2_1`` turns a pair of channels by one angle, and stretches rows and columns to a common range. ``v2`` leaves
positions as they are, and lists the a / 2 frequencies of an axis twice, one after the other, so that the two channels
of a pair are turned by different angles: no rotation, but what V-JEPA 2 was trained with.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from vjepa.grid import Grid

Rope = Literal["v2_1", "v2"]

REFERENCE_PIXELS = 256
"""``v2_1`` stretches rows and columns to the range they have at this resolution."""

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


def rope_table(rope: Rope, grid: Grid, head_dim: int, patch: int, device: torch.device) -> Tensor:
    """``rotary_table`` as a version of the model has it.

    Args:
        rope: ``v2_1`` or ``v2``.
        grid, head_dim, device: see ``rotary_table``.
        patch: side of a patch in pixels.
    """
    tiled = rope == "v2"
    return rotary_table(grid, head_dim, None if tiled else REFERENCE_PIXELS // patch, device, tiled)


@lru_cache(maxsize=32)
def rotary_table(grid: Grid, head_dim: int, reference: int | None, device: torch.device, tiled: bool = False) -> Tensor:
    """Cosines and sines of every token of a grid, in float32 whatever autocast says.

    Args:
        grid: token grid.
        head_dim: width of one attention head, even.
        reference: side G of the grid to whose range rows and columns are stretched (``interpolate_rope``);
            None leaves positions as they are. Time is never stretched.
        device: where the table lives.
        tiled: list the frequencies of an axis twice, in place of giving each to a pair of channels (V-JEPA 2).

    Returns:
        (N, head_dim / 2, 2): cosine and sine for each pair of channels; 1 and 0 for those that are not rotated.
        Tiled, (N, head_dim / 2, 4): cosine and sine for the first channel of a pair, then for the second.

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
        ]
        each = 2 if tiled else 1  # angles of a pair
        still = torch.zeros(grid.num_tokens, each * (head_dim // 2) - 3 * each * (channels // 2), device=device)
        theta = torch.cat([*(angle.repeat(1, each) for angle in angles), still], dim=-1)
        return torch.stack((theta.cos(), theta.sin()), dim=-1).reshape(grid.num_tokens, -1, 2 * each)


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Rotate interleaved channel pairs of queries or keys, (a, b) -> (a cos - b sin, b cos + a sin).

    Args:
        x: (..., head_dim).
        table: (..., head_dim / 2, 2 or 4), see ``rotary_table``; its leading axes are those of ``x`` or broadcast to
            them.

    Returns:
        Same shape and dtype as ``x``; the arithmetic is float32.
    """
    pairs = x.float().unflatten(-1, (-1, 2))
    if table.shape[-1] == 4:
        (a, b), (cos_a, sin_a, cos_b, sin_b) = pairs.unbind(-1), table.unbind(-1)
        turned = torch.stack((a * cos_a - b * sin_a, b * cos_b + a * sin_b), dim=-1)
    elif torch.compiler.is_compiling():  # real arithmetic becomes one kernel, complex numbers do not
        (a, b), (cos, sin) = pairs.unbind(-1), table.unbind(-1)
        turned = torch.stack((a * cos - b * sin, b * cos + a * sin), dim=-1)
    else:  # one operator and one pass over memory in place of five
        turned = torch.view_as_real(torch.view_as_complex(pairs) * torch.view_as_complex(table))
    return turned.flatten(-2).to(x.dtype)
