"""Multi-block 3D masks: which tokens the encoder sees and which the predictor must predict.

Block sizes are a function of the step alone. Placement is a function of (seed, step, rank, sample) and, where motion
guides it, of the sample's motion map; of nothing else, so it does not change with workers, devices or batch size. All
randomness comes from generators of the masks' own; global random states are neither read nor moved.

Source: V-JEPA 2.1 mask collator of the study: its block sizes, trimming and complement; golden mask_stats.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vjepa.errors import UserError, unknown_name
from vjepa.latents import Grid, Masks
from vjepa.motion import MotionGuidance
from vjepa.placement import (
    TRIM_CONTEXT,
    TRIM_TARGET,
    Block,
    Draws,
    Flags,
    Floats,
    draw_blocks,
    guided_place,
    match_visible,
    uniform_place,
    visible_tokens,
)

Trim = Literal["first", "random"]


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

    def block_size(self, grid: Grid, step: int) -> Block:
        """Block length, height and width in tokens: a function of the step alone."""
        generator = torch.Generator().manual_seed(step)
        u_time, u_area, u_aspect = torch.rand(3, generator=generator, dtype=torch.float32).tolist()
        time = max(1, int(grid.time * _lerp(self.temporal_scale, u_time)))
        area = int(grid.frame_tokens * _lerp(self.spatial_scale, u_area))
        aspect = _lerp(self.aspect_ratio, u_aspect)
        height = min(grid.height, max(1, round((area * aspect) ** 0.5)))
        width = min(grid.width, max(1, round((area / aspect) ** 0.5)))
        return time, height, width

    def context_steps(self, grid: Grid) -> int:
        """Time steps that the context may use."""
        return max(1, int(grid.time * self.max_temporal_keep))


STUDY_MASKS = (BlockMask(8, (0.15, 0.15)), BlockMask(2, (0.7, 0.7)))


def _lerp(limits: tuple[float, float], share: float) -> float:
    return limits[0] + share * (limits[1] - limits[0])


@dataclass(frozen=True)
class FuturePrediction:
    """Masks that hide the future: the context is what blocks leave of the first frames, and all else is predicted.

    Args:
        temporal_keep: share of time steps the context may use, in (0, 1]; the first ones.
        block_ratio: share of the blocks that each mask keeps, in (0, 1]; at least one block.

    Source: the study's future-predictive masks.
    """

    temporal_keep: float = 0.5
    block_ratio: float = 0.5

    def __post_init__(self) -> None:
        for name in ("temporal_keep", "block_ratio"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise UserError(f"masker future.{name} {value}: expected a share in (0, 1]")

    def apply(self, mask: BlockMask) -> BlockMask:
        """The mask with fewer blocks and a hidden future."""
        blocks = max(1, round(mask.num_blocks * self.block_ratio))
        return replace(mask, num_blocks=blocks, max_temporal_keep=self.temporal_keep, full_complement=True)


@dataclass(frozen=True)
class MultiBlockMasker:
    """The masker slot: several multi-block masks for every clip.

    Args:
        masks: one entry a mask; each clip is encoded once per mask. None: the two masks of the study.
        trim: which tokens are dropped to make lengths equal over a batch: ``first`` keeps the first ones in
            raster order (as the study does; it loses the last frames), ``random`` keeps a random subset.
        motion: draw blocks where the clip moves; None: anywhere.
        future: hide the future from the context; None: leave the masks as they are.
    """

    masks: tuple[BlockMask, ...] | None = None
    trim: Trim = "first"
    motion: MotionGuidance | None = None
    future: FuturePrediction | None = None

    def __post_init__(self) -> None:
        if self.masks is not None and not self.masks:
            raise UserError("masker has no masks: expected at least one")
        if self.trim not in get_args(Trim):
            raise unknown_name("masker trim", self.trim, get_args(Trim))

    @property
    def blocks(self) -> tuple[BlockMask, ...]:
        """The masks in use."""
        masks = STUDY_MASKS if self.masks is None else self.masks
        return masks if self.future is None else tuple(self.future.apply(mask) for mask in masks)

    def __call__(
        self, grid: Grid, batch_size: int, *, step: int, seed: int, rank: int = 0, first_sample: int = 0,
        motion: Tensor | None = None,
    ) -> Masks:  # fmt: skip
        """Draw the masks of one micro-batch.

        Args:
            grid: token grid of the clips.
            batch_size: B >= 1.
            step: optimizer step, sets the block sizes.
            seed: of the run.
            rank: of the process.
            first_sample: number of the first sample within the step (gradient accumulation).
            motion: (B, T, H, W) on the CPU, >= 0: normalised motion maps; read only where motion guides the masks.

        Returns:
            Masks on the CPU.

        Raises:
            UserError: the blocks hide the whole grid however they fall.
            ValueError: motion guides the masks, and ``motion`` is missing or has another shape.
        """
        maps = None if self.motion is None else _checked(motion, (batch_size, grid.time, grid.height, grid.width))
        context, target = [], []
        for number, mask in enumerate(self.blocks):
            draws = Draws(seed, (step, rank, number), first_sample, batch_size)
            visible = self._visible(mask, grid, mask.block_size(grid, step), maps, draws)
            keep = self._trim(visible, mask.max_keep, draws, TRIM_CONTEXT)
            hidden = np.logical_not(visible)
            if mask.full_complement:
                hidden = np.ones_like(visible)
                np.put_along_axis(hidden, keep, False, axis=1)
            context.append(torch.from_numpy(keep))
            target.append(torch.from_numpy(self._trim(hidden, None, draws, TRIM_TARGET)))
        return Masks(tuple(context), tuple(target))

    def _visible(self, mask: BlockMask, grid: Grid, block: Block, motion: Floats | None, draws: Draws) -> Flags:
        """Tokens that the context may keep, (B, N)."""
        steps, batch_size = mask.context_steps(grid), draws.batch_size
        uniform = uniform_place(grid, block, mask.num_blocks, draws)
        if self.motion is None or motion is None:
            return visible_tokens(grid, steps, draw_blocks(grid, block, steps, batch_size, uniform))
        guided = guided_place(motion, block, self.motion.strength, self.motion.random_rate, draws, uniform)
        if self.motion.ratio_matched:
            unguided = draw_blocks(grid, block, steps, batch_size, uniform)
            return match_visible(grid, block, steps, unguided, guided, draws)
        return visible_tokens(grid, steps, draw_blocks(grid, block, steps, batch_size, guided))

    def _trim(self, chosen: Flags, limit: int | None, draws: Draws, stream: int) -> NDArray[np.int64]:
        """Indices of chosen tokens, ascending, cut to the smallest count of the batch: (B, N) -> (B, K)."""
        count = int(chosen.sum(axis=1).min())
        if limit is not None:
            count = min(count, limit)
        if self.trim == "first":
            order = np.argsort(~chosen, axis=1, kind="stable")
        else:
            uniform = draws.uniforms((stream,), chosen.shape[1])
            order = np.argsort(np.where(chosen, uniform, 2.0), axis=1, kind="stable")
        return np.sort(order[:, :count], axis=1)


def mask_ratios(masks: Masks, grid: Grid) -> dict[str, float]:
    """Share of all tokens that each mask shows to the encoder and asks the predictor for, by metric key."""
    kinds = (("context", masks.context), ("target", masks.target))
    return {
        f"masks/{kind}_ratio_{number}": indices.shape[1] / grid.num_tokens
        for kind, chosen in kinds
        for number, indices in enumerate(chosen)
    }


def _checked(motion: Tensor | None, shape: tuple[int, ...]) -> Floats:
    """Motion maps as NumPy reads them."""
    if motion is None or tuple(motion.shape) != shape:
        found = "none" if motion is None else f"shape {tuple(motion.shape)}"
        raise ValueError(
            f"motion maps: expected shape {shape} (B, T, H, W), because motion guides the masks; got {found}"
        )
    return motion.double().numpy()
