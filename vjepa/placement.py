"""Where the blocks of a mask fall: everywhere alike, or where a clip moves.

Shapes: B batch, n blocks of a mask, N = T*H*W tokens, O admissible origins of a block. An origin is (start, top, left).
Randomness is read off streams whose row b depends on (seed, step, rank, mask, first sample + b) and on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vjepa.errors import UserError
from vjepa.grid import Grid

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Block = tuple[int, int, int]
Place = Callable[[int], NDArray[np.int64]]
"""Origins (B, n, 3) of an attempt."""

# Streams of one mask. The first ones fix the masks of every unguided run: append, never renumber.
PLACE, TRIM_CONTEXT, TRIM_TARGET, GUIDE, SURPLUS = range(5)
_MAX_REDRAWS = 1000
_ROUNDS = 8  # draws of a guided mask that may be joined to reach the count of the unguided one
_FLOOR = 1e-6


@dataclass(frozen=True)
class Draws:
    """Uniform numbers of one mask of one micro-batch.

    Args:
        seed: of the run.
        key: step, rank and number of the mask.
        first: number of the first sample within the step.
        batch_size: B.
    """

    seed: int
    key: tuple[int, int, int]
    first: int
    batch_size: int

    def uniforms(self, stream: tuple[int, ...], *shape: int) -> Floats:
        """Numbers (B, *shape) in [0, 1); rows are read off one stream in order, from the first sample of the step."""
        sequence = np.random.SeedSequence(self.seed, spawn_key=(*self.key, *stream))
        generator = np.random.Generator(np.random.Philox(sequence))
        return generator.random((self.first + self.batch_size, *shape))[self.first :]


def uniform_place(grid: Grid, block: Block, num_blocks: int, draws: Draws) -> Place:
    """Every admissible origin alike."""
    free = np.array(grid_sizes(grid)) - block + 1

    def place(attempt: int) -> NDArray[np.int64]:
        return np.floor(draws.uniforms((PLACE, attempt), num_blocks, 3) * free).astype(np.int64)

    return place


def guided_place(
    motion: Floats, block: Block, strength: float, random_rate: float, draws: Draws, uniform: Place
) -> Place:
    """Origins with p proportional to (mean motion of the block)^strength, or as ``uniform`` has them.

    Args:
        motion: (B, T, H, W), >= 0; of any scale, means below 1e-6 count as 1e-6.
        block: length, height, width.
        strength: >= 0.
        random_rate: probability, block by block, of the uniform origin, in [0, 1].
        draws: of the mask.
        uniform: the unguided placement; all that a sample whose origins score alike, a still clip, ever gets.

    Source: the study's motion-guided masks; its blocks are independent, so that several may coincide.
    """
    means = np.maximum(block_means(motion, block), _FLOOR)
    scores = means.reshape(len(means), -1)  # (B, O)
    highest = scores.max(axis=1, keepdims=True)
    still = highest == scores.min(axis=1, keepdims=True)
    # Relative scores: a power of a score itself could exceed the range of a float.
    cumulative = ((scores / highest) ** strength).cumsum(axis=1)

    def place(attempt: int) -> NDArray[np.int64]:
        origins = uniform(attempt)
        chance, share = np.moveaxis(draws.uniforms((GUIDE, attempt), origins.shape[1], 2), -1, 0)
        below = cumulative[:, None] <= (share * cumulative[:, -1:])[..., None]  # (B, n, O)
        chosen = np.minimum(below.sum(axis=-1), scores.shape[1] - 1)
        guided = np.stack(np.unravel_index(chosen, means.shape[1:]), axis=-1)
        return np.where((still | (chance < random_rate))[..., None], origins, guided)

    return place


def block_means(values: Floats, block: Block) -> Floats:
    """Mean over the block at every admissible origin: (B, T, H, W) -> (B, T - t + 1, H - h + 1, W - w + 1)."""
    for axis, length in enumerate(block, start=1):
        size = values.shape[axis]
        sums = np.insert(values.cumsum(axis=axis, dtype=np.float64), 0, 0.0, axis=axis)
        upper, lower = np.arange(length, size + 1), np.arange(size - length + 1)
        values = (sums.take(upper, axis=axis) - sums.take(lower, axis=axis)) / length
    return values


def draw_blocks(grid: Grid, block: Block, context_steps: int, batch_size: int, place: Place) -> Flags:
    """Tokens (B, n, N) that each block hides.

    A sample that is left without context in the first ``context_steps`` is drawn again, the others are left alone.

    Raises:
        UserError: it is, however the blocks fall.
    """
    covered, empty = None, np.ones(batch_size, dtype=bool)
    for attempt in range(_MAX_REDRAWS):
        drawn = covered_tokens(grid, block, place(attempt))
        covered = drawn if covered is None else np.where(empty[:, None, None], drawn, covered)
        empty = np.logical_not(visible_tokens(grid, context_steps, covered).any(axis=1))
        if not empty.any():
            return covered
    raise UserError(
        f"mask with {drawn.shape[1]} blocks of {block} tokens hides the whole {grid.time}x{grid.height}x"
        f"{grid.width} grid in {_MAX_REDRAWS} draws: expected smaller spatial_scale or fewer num_blocks"
    )


def match_visible(
    grid: Grid, block: Block, context_steps: int, unguided: Flags, guided: Place, draws: Draws
) -> Flags:  # fmt: skip
    """Context (B, N) beside guided blocks, of as many tokens as beside the ``unguided`` blocks (B, n, N).

    Blocks are laid one after another until they hide as many: eight draws of the guided mask, then, where motion is too
    narrow for that, the unguided blocks. The block that reaches the count gives its surplus back, at random.
    """
    rounds = [covered_tokens(grid, block, guided(attempt)) for attempt in range(_ROUNDS)]
    covered = np.concatenate([*rounds, unguided], axis=1)
    last = covered.shape[1]
    number = np.arange(last, dtype=np.int16)[:, None]
    turn = np.where(covered, number, np.int16(last)).min(axis=1)  # (B, N), the block that hides a token
    turn[:, ~allowed_tokens(grid, context_steps)] = -1
    order = np.argsort(turn + draws.uniforms((SURPLUS,), grid.num_tokens), axis=1)
    num_hidden = grid.num_tokens - visible_tokens(grid, context_steps, unguided).sum(axis=1, keepdims=True)
    visible = np.empty_like(turn, dtype=bool)
    np.put_along_axis(visible, order, np.arange(grid.num_tokens) >= num_hidden, axis=1)
    return visible


def visible_tokens(grid: Grid, context_steps: int, covered: Flags) -> Flags:
    """Tokens (B, N) of the first time steps that no block covers: (B, n, N) -> (B, N)."""
    return allowed_tokens(grid, context_steps) & np.logical_not(covered.any(axis=1))


def grid_sizes(grid: Grid) -> Block:
    """T, H and W."""
    return grid.time, grid.height, grid.width


def allowed_tokens(grid: Grid, context_steps: int) -> Flags:
    """Tokens (N,) of the first time steps."""
    return np.arange(grid.num_tokens) < context_steps * grid.frame_tokens


def covered_tokens(grid: Grid, block: Block, origins: NDArray[np.int64]) -> Flags:
    """Tokens inside each block: origins (B, n, 3) -> (B, n, N)."""
    inside = []
    for axis, (size, length) in enumerate(zip(grid_sizes(grid), block, strict=True)):
        start, position = origins[..., axis, None], np.arange(size)
        inside.append((position >= start) & (position < start + length))  # (B, n, size)
    time, row, column = inside
    covered = time[..., :, None, None] & row[..., None, :, None] & column[..., None, None, :]
    return covered.reshape(*origins.shape[:2], -1)
