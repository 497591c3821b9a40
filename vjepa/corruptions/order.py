"""Corruptions of the order of frames, which may change the label: probes, kept out of averages."""

from __future__ import annotations

import torch
from torch import Tensor

from vjepa.corruptions.base import BatchCorruption, scaled_frames
from vjepa.corruptions.temporal import frame_rate, per_frame, show


def local_shuffle(frames: Tensor, window: int, uniform: Tensor) -> Tensor:
    """Shuffle frames within consecutive windows; ``window`` is for 16 frames and scales with their number.

    A window of 2 acts inside a tubelet of 2 frames, wider ones also between tubelets.

    Source: in place of the jumbling of SSv2-P (Schiappa et al., arXiv 2207.01398), whose levels run backwards.
    """
    segment = torch.arange(frames.shape[1], device=frames.device) // scaled_frames(window, frames.shape[1], least=2)
    return show(frames, (segment + uniform).argsort(dim=1, stable=True))


def box_jumbling(frames: Tensor, window: int, uniform: Tensor) -> Tensor:
    """Shuffle consecutive windows of frames and keep the order within each.

    Source: SSv2-P, where a window of 16 frames and more leaves a clip of 16 as it is.
    Differs: ``window`` is for 16 frames and scales with their number.
    """
    length = scaled_frames(window, frames.shape[1], least=2)
    first = torch.arange(frames.shape[1], device=frames.device) // length * length
    return show(frames, uniform[:, first].argsort(dim=1, stable=True))


def reverse(frames: Tensor, stride: int) -> Tensor:
    """Keep and hold every ``stride``-th frame and play backwards; a stride of 1 reverses only.

    Source: the reverse sampling of SSv2-P.
    """
    return frame_rate(frames, stride).flip(1)


def static(frames: Tensor, position: float) -> Tensor:
    """Show one frame all the time, at a relative position; 0.5 is the middle.

    Source: arXiv 2605.15618.
    """
    middle = int(frames.shape[1] * position)
    return frames[:, middle : middle + 1].expand_as(frames).contiguous()


ORDER = (
    BatchCorruption("local_shuffle", "order", "sampled", "window (frames)", (2, 3, 4, 8, 16), local_shuffle, per_frame),
    BatchCorruption("reverse", "order", "sampled", "stride", (1,), reverse),
    BatchCorruption("static", "order", "sampled", "position", (0.5,), static),
    BatchCorruption("reverse_sampling", "order", "sampled", "stride", (2, 4, 8, 16, 32), reverse),
    BatchCorruption("jumbling", "order", "sampled", "window (frames)", (32, 16, 8, 4, 2), local_shuffle, per_frame),
    BatchCorruption("box_jumbling", "order", "sampled", "window (frames)", (4, 9, 16, 25, 36), box_jumbling, per_frame),
)
