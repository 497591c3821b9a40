"""Multi-block 3D masks: which tokens the encoder sees and which the predictor must predict.

Block sizes are a function of the step alone. Placement is a function of (seed, step, rank, sample) and of nothing
else, so it does not change with workers, devices or batch size. All randomness is drawn here, from generators of
this module's own; global random states are neither read nor moved.

Source: V-JEPA 2.1 mask collator of the study (spec of its block sizes, trimming and complement).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from vjepa.errors import UserError
from vjepa.latents import Grid, Masks

Trim = Literal["first", "random"]
_MAX_REDRAWS = 1000
# Streams of one placement generator.
_PLACE, _TRIM_CONTEXT, _TRIM_TARGET = range(3)


@dataclass(frozen=True)
class BlockMask:
    """One multi-block mask.

    Args:
        num_blocks: blocks whose union is hidden from the context, >= 1.
        spatial_scale: range of the block area over the frame area, in (0, 1].
        temporal_scale: range of the block length over the clip length, in (0, 1].
        aspect_ratio: range of height over width, > 0, drawn linearly.
        max_temporal_keep: share of time steps the context may use, in (0, 1]; the first ones.
        max_keep: upper limit of context tokens, or None.
        full_complement: predict every token that is not context after trimming.
    """

    num_blocks: int = 8
    spatial_scale: tuple[float, float] = (0.15, 0.15)
    temporal_scale: tuple[float, float] = (1.0, 1.0)
    aspect_ratio: tuple[float, float] = (0.75, 1.5)
    max_temporal_keep: float = 1.0
    max_keep: int | None = None
    full_complement: bool = False

    def __post_init__(self) -> None:
        if self.num_blocks < 1:
            raise UserError(f"mask num_blocks {self.num_blocks}: expected at least 1")
        if self.max_keep is not None and self.max_keep < 1:
            raise UserError(f"mask max_keep {self.max_keep}: expected at least 1 token, or null")
        if not 0 < self.max_temporal_keep <= 1:
            raise UserError(f"mask max_temporal_keep {self.max_temporal_keep}: expected a share in (0, 1]")
        for name, top in (("spatial_scale", 1.0), ("temporal_scale", 1.0), ("aspect_ratio", float("inf"))):
            low, high = getattr(self, name)
            if not 0 < low <= high <= top:
                raise UserError(f"mask {name} {(low, high)}: expected 0 < low <= high <= {top}")

    def block_size(self, grid: Grid, step: int) -> tuple[int, int, int]:
        """Block length, height and width in tokens: a function of the step alone."""
        generator = torch.Generator().manual_seed(step)
        u_time, u_area, u_aspect = torch.rand(3, generator=generator, dtype=torch.float32).tolist()
        time = max(1, int(grid.time * _lerp(self.temporal_scale, u_time)))
        area = int(grid.frame_tokens * _lerp(self.spatial_scale, u_area))
        aspect = _lerp(self.aspect_ratio, u_aspect)
        height = min(grid.height, max(1, round((area * aspect) ** 0.5)))
        width = min(grid.width, max(1, round((area / aspect) ** 0.5)))
        return time, height, width


STUDY_MASKS = (BlockMask(8, (0.15, 0.15)), BlockMask(2, (0.7, 0.7)))


def _lerp(limits: tuple[float, float], share: float) -> float:
    return limits[0] + share * (limits[1] - limits[0])


@dataclass(frozen=True)
class MultiBlockMasker:
    """The masker slot: several multi-block masks for every clip.

    Args:
        masks: one entry a mask; each clip is encoded once per mask. None: the two masks of the study.
        trim: which tokens are dropped to make lengths equal over a batch: ``first`` keeps the first ones in
            raster order (as the study does; it loses the last frames), ``random`` keeps a random subset.
    """

    masks: tuple[BlockMask, ...] | None = None
    trim: Trim = "first"

    def __post_init__(self) -> None:
        if self.masks is not None and not self.masks:
            raise UserError("masker has no masks: expected at least one")

    @property
    def blocks(self) -> tuple[BlockMask, ...]:
        """The masks in use."""
        return STUDY_MASKS if self.masks is None else self.masks

    def __call__(
        self, grid: Grid, batch_size: int, *, step: int, seed: int, rank: int = 0, first_sample: int = 0
    ) -> Masks:
        """Draw the masks of one micro-batch.

        Args:
            grid: token grid of the clips.
            batch_size: B >= 1.
            step: optimizer step, sets the block sizes.
            seed: of the run.
            rank: of the process.
            first_sample: number of the first sample within the step (gradient accumulation).

        Returns:
            Masks on the CPU.

        Raises:
            UserError: the blocks hide the whole grid however they fall.
        """
        context, target = [], []
        for number, mask in enumerate(self.blocks):
            key = (step, rank, number)
            visible = _draw_visible(mask, grid, batch_size, first_sample, mask.block_size(grid, step), seed, key)
            keep = self._trim(visible, mask.max_keep, seed, (*key, _TRIM_CONTEXT), first_sample)
            hidden = np.logical_not(visible)
            if mask.full_complement:
                hidden = np.ones_like(visible)
                np.put_along_axis(hidden, keep, False, axis=1)
            context.append(torch.from_numpy(keep))
            target.append(torch.from_numpy(self._trim(hidden, None, seed, (*key, _TRIM_TARGET), first_sample)))
        return Masks(tuple(context), tuple(target))

    def _trim(
        self, chosen: NDArray[np.bool_], limit: int | None, seed: int, key: tuple[int, ...], first: int
    ) -> NDArray[np.int64]:
        """Indices of chosen tokens, ascending, cut to the smallest count of the batch: (B, N) -> (B, K)."""
        count = int(chosen.sum(axis=1).min())
        if limit is not None:
            count = min(count, limit)
        if self.trim == "first":
            order = np.argsort(~chosen, axis=1, kind="stable")
        else:
            uniform = _uniforms(seed, key, first, chosen.shape)
            order = np.argsort(np.where(chosen, uniform, 2.0), axis=1, kind="stable")
        return np.sort(order[:, :count], axis=1)


def _uniforms(seed: int, key: tuple[int, ...], first: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Uniforms whose row b depends on (seed, key, first + b) only: rows are read off one stream in order."""
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))
    return generator.random((first + shape[0], *shape[1:]))[first:]


def _draw_visible(
    mask: BlockMask, grid: Grid, batch_size: int, first: int, block: tuple[int, int, int], seed: int,
    key: tuple[int, ...],
) -> NDArray[np.bool_]:  # fmt: skip
    """Context indicator (B, N); a sample whose context is empty is drawn again, the others are left alone."""
    visible = np.zeros((batch_size, grid.num_tokens), dtype=bool)
    for attempt in range(_MAX_REDRAWS):
        empty = np.logical_not(visible.any(axis=1))
        if not empty.any():
            return visible
        uniform = _uniforms(seed, (*key, _PLACE, attempt), first, (batch_size, mask.num_blocks, 3))
        visible = np.where(empty[:, None], _visible(mask, grid, block, uniform), visible)
    raise UserError(
        f"mask with {mask.num_blocks} blocks of {block} tokens hides the whole {grid.time}x{grid.height}x"
        f"{grid.width} grid in {_MAX_REDRAWS} draws: expected smaller spatial_scale or fewer num_blocks"
    )


def _visible(
    mask: BlockMask, grid: Grid, block: tuple[int, int, int], uniform: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Context indicator (B, N) for placements given by uniforms (B, num_blocks, 3)."""
    sizes = (grid.time, grid.height, grid.width)
    inside = []
    for axis, (size, length) in enumerate(zip(sizes, block, strict=True)):
        # (B, num_blocks, size): positions covered along this axis.
        start = np.floor(uniform[..., axis] * (size - length + 1))[..., None]
        position = np.arange(size)
        inside.append((position >= start) & (position < start + length))
    time, row, column = inside
    covered = time[..., :, None, None] & row[..., None, :, None] & column[..., None, None, :]
    visible = np.logical_not(covered.any(axis=1))  # (B, T, H, W)
    visible[:, max(1, int(grid.time * mask.max_temporal_keep)) :] = False
    return visible.reshape(len(visible), -1)
