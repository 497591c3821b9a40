"""Corruptions along time that keep the label."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vjepa.corruptions.base import BatchCorruption, Shape, SourceCorruption, scaled_frames
from vjepa.corruptions.filters import GREY

SSV2_RATE = 12
"""Frames a second of the videos of Something-Something v2."""

_HOLD = (0.12, 0.24, 0.36, 0.48, 0.60)


def frame_freeze(frames: Tensor, probability: float, uniform: Tensor) -> Tensor:
    """Replace each frame but the first, with ``probability``, by the frame shown before it.

    Source: the freezing rule of Schiappa et al. (arXiv 2207.01398), hold probability 0.12 times the severity.
    """
    position = torch.arange(frames.shape[1], device=frames.device)
    shown = torch.where(uniform < probability, 0, position).cummax(1).values
    return show(frames, shown)


def frame_blackout(frames: Tensor, probability: float, uniform: Tensor) -> Tensor:
    """Replace each frame, with ``probability``, by mid-grey (128).

    Source: the protocol's own, with the probabilities of ``frame_freeze``.
    """
    return frames.masked_fill((uniform < probability)[:, :, None, None, None], GREY)


def frame_rate(frames: Tensor, stride: int) -> Tensor:
    """Keep every ``stride``-th frame and hold it until the next, so that the clip stays as long.

    Source: the idea of Mini SSV2-C (Yi et al., arXiv 2110.06513); as ``sampling`` the strides of SSv2-P.
    Differs: relative to the clip, not to seconds.
    """
    position = torch.arange(frames.shape[1], device=frames.device)
    return frames[:, position // stride * stride]


def frame_rate_fps(numbers: NDArray[np.int64], rate: int, clip_frames: int) -> NDArray[np.int64]:
    """Show a video of 12 frames a second at ``rate`` frames a second, each held until the next.

    Frames are counted in the video, sampled or not.

    Source: Mini SSV2-C.
    Differs: not compressed on the way (x265 there), and every video counts as one of 12 frames a second.
    """
    # The first source frame of each output period; whole numbers throughout.
    period = numbers * rate // SSV2_RATE
    return -(-period * SSV2_RATE // rate)[:, None]


def temporal_blur(numbers: NDArray[np.int64], half_width: int, clip_frames: int) -> NDArray[np.int64]:
    """Average each frame i with its neighbours, over [i - c, i + c), edge frames repeated; c is ``half_width``.

    It scales with the frames of the clip and is counted in those of the video, sampled or not.

    Source: the motion blur of Mini SSV2-C.
    Differs: it drops c frames at each end of the video, here they are padded.
    """
    reach = scaled_frames(half_width, clip_frames, least=1)
    return numbers[:, None] + np.arange(-reach, reach)


def show(frames: Tensor, index: Tensor) -> Tensor:
    """Show frame ``index[b, f]`` of clip b at position f."""
    return frames[torch.arange(len(frames), device=frames.device)[:, None], index]


def per_frame(generator: np.random.Generator, shape: Shape) -> tuple[np.ndarray]:
    """Draw one uniform number for each frame."""
    return (generator.random(shape[0]),)


TEMPORAL = (
    BatchCorruption("frame_freeze", "temporal", "sampled", "probability", _HOLD, frame_freeze, per_frame),
    BatchCorruption("frame_blackout", "temporal", "sampled", "probability", _HOLD, frame_blackout, per_frame),
    BatchCorruption("frame_rate", "temporal", "sampled", "stride", (2, 3, 4, 6, 8), frame_rate),
    SourceCorruption("frame_rate_fps", "temporal", "source", "frames a second", (10, 8, 6, 4, 2), frame_rate_fps),
    BatchCorruption("sampling", "temporal", "sampled", "stride", (2, 4, 8, 16, 32), frame_rate),
    SourceCorruption("temporal_blur", "temporal", "source", "half-width (frames)", (1, 2, 3, 4, 6), temporal_blur),
)
