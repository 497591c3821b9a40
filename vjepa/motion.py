"""Motion maps: where a clip changes, token by token, and how masks follow it.

Shapes: B batch, F frames, T time steps, H, W token grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from vjepa.errors import UserError, unknown_name
from vjepa.grid import Grid, pool_to_grid
from vjepa.reading import Reading, resolve

MotionNorm = Literal["per_sample", "broadcast_time"]
MotionPool = Literal["area", "point"]
_FLOOR = 1e-6


@dataclass(frozen=True)
class MotionGuidance:
    """Blocks are drawn where a clip moves, so that the targets follow its motion.

    Args:
        strength: exponent s >= 0 of p(origin) ~ (mean motion of the block)^s; 0 is uniform.
        random_rate: share of blocks placed as without guidance, in [0, 1].
        norm: maximum that a map is divided by: its own (``per_sample``, as described) or, at time step t, that of
            sample t (``broadcast_time``, as released); None: by the run's reading.
        pool: pixels behind a token's motion: all of its patch (``area``, as described) or the middle four
            (``point``, as released); None: by the run's reading.
        ratio_matched: hide as many tokens as the unguided mask of the same step and sample would. Guided blocks pile
            up, so without it guidance changes the amount of masking along with the place.
    """

    strength: float = 2.0
    random_rate: float = 0.1
    norm: MotionNorm | None = None
    pool: MotionPool | None = None
    ratio_matched: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.strength < float("inf"):
            raise UserError(f"masker motion.strength {self.strength}: expected a number >= 0")
        if not 0 <= self.random_rate <= 1:
            raise UserError(f"masker motion.random_rate {self.random_rate}: expected a share in [0, 1]")
        for name, value, known in (
            ("norm", self.norm, get_args(MotionNorm)),
            ("pool", self.pool, get_args(MotionPool)),
        ):
            if value is not None and value not in known:
                raise unknown_name(f"masker motion.{name}", value, known)


@torch.no_grad()
def motion_map(pixels: Tensor, grid: Grid, pool: MotionPool) -> Tensor:
    """Mean over channels of |v[f+1] - v[f]|, brought to the token grid.

    The first change stands for the first frame too, so that there are as many maps as frames.

    Args:
        pixels: (B, 3, F, H_px, W_px), normalised.
        grid: token grid of the clip.
        pool: ``area`` averages over tubelet and patch; ``point`` interpolates trilinearly at the centre of each, which
            at even sizes reads its middle two frames and middle four pixels.

    Returns:
        (B, T, H, W) float32, >= 0; zero for a clip of one frame.

    Source: the study's motion-guided masks (``point``); golden motion_map and motion_rand_map.
    """
    if pixels.shape[2] == 1:
        return torch.zeros(len(pixels), grid.time, grid.height, grid.width, device=pixels.device)
    change = pixels.float().diff(dim=2).abs_().mean(dim=1, keepdim=True)
    change = torch.cat((change[:, :, :1], change), dim=2)  # (B, 1, F, H_px, W_px)
    if pool == "area":
        return pool_to_grid(change, grid).squeeze(1)
    size = (grid.time, grid.height, grid.width)
    return interpolate(change, size=size, mode="trilinear", align_corners=False).squeeze(1)


def normalize_motion(motion: Tensor, norm: MotionNorm) -> Tensor:
    """Divide motion maps (B, T, H, W) by a maximum, at least 1e-6.

    Args:
        motion: (B, T, H, W), >= 0.
        norm: ``per_sample``: map b by its own maximum, into [0, 1]. ``broadcast_time``: time step t of every map by
            the maximum of sample t; a still sample inflates its time step in all others up to a millionfold.

    Raises:
        UserError: ``broadcast_time`` with another number of samples than time steps.

    Source: the study's text (``per_sample``) and code (``broadcast_time``); golden bcast_*.
    """
    highest = motion.amax(dim=(1, 2, 3)).clamp(min=_FLOOR)
    if norm == "per_sample":
        return motion / highest.view(-1, 1, 1, 1)
    check_broadcast(*motion.shape[:2])
    return motion / highest.view(1, -1, 1, 1)


def check_broadcast(batch_size: int, num_steps: int) -> None:
    """Refuse a micro-batch whose maxima cannot be taken for time steps.

    Raises:
        UserError: it has another number of samples than time steps.
    """
    if batch_size != num_steps:
        raise UserError(
            "masker motion.norm broadcast_time divides time step t by the maximum of sample t, but a micro-batch has "
            f"{batch_size} samples of {num_steps} time steps: set the data's batch_size to {num_steps}, or "
            "model.masker.motion.norm to per_sample"
        )


class MotionMaps:
    """The maps of a run.

    Args:
        guidance: its open switches are settled here.
        reading: of the run.
    """

    def __init__(self, guidance: MotionGuidance, reading: Reading) -> None:
        self.norm: MotionNorm = resolve("motion.norm", guidance.norm, reading)
        self.pool: MotionPool = resolve("motion.pool", guidance.pool, reading)

    def __call__(self, pixels: Tensor, grid: Grid, held_out: bool = False) -> Tensor:
        """Normalised maps of a micro-batch.

        Args:
            pixels: (B, 3, F, H_px, W_px), normalised.
            grid: token grid of the clips.
            held_out: ``area`` and ``per_sample`` whatever the run trains with, so that held-out masks depend neither on
                the reading nor on the batch that a clip comes in.

        Returns:
            (B, T, H, W) float32 on the CPU, where masks are drawn.
        """
        motion = motion_map(pixels, grid, "area" if held_out else self.pool)
        # A clip of one frame has no motion, whatever the norm, and one time step for any number of samples.
        alone = held_out or pixels.shape[2] == 1
        return normalize_motion(motion, "per_sample" if alone else self.norm).cpu()

    def check_batch(self, batch_size: int, num_steps: int) -> None:
        """Refuse micro-batches that the norm cannot take.

        Raises:
            UserError: ``broadcast_time`` with another number of samples than time steps.
        """
        if self.norm == "broadcast_time":
            check_broadcast(batch_size, num_steps)
