"""Corruptions by name, and the functions that apply them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vjepa.corruptions.base import Corruption, keyed_generator
from vjepa.corruptions.blur import BLUR
from vjepa.corruptions.camera import CAMERA
from vjepa.corruptions.codec import CODEC
from vjepa.corruptions.digital import DIGITAL
from vjepa.corruptions.light import LIGHT
from vjepa.corruptions.noise import NOISE
from vjepa.corruptions.order import ORDER
from vjepa.corruptions.precipitation import PRECIPITATION
from vjepa.corruptions.temporal import TEMPORAL
from vjepa.corruptions.transmission import TRANSMISSION
from vjepa.corruptions.weather import WEATHER
from vjepa.errors import UserError, unknown_name

FAMILIES = (
    NOISE,
    BLUR,
    LIGHT,
    WEATHER,
    PRECIPITATION,
    DIGITAL,
    CAMERA,
    TEMPORAL,
    CODEC,
    TRANSMISSION,
    ORDER,
)
CORRUPTIONS: dict[str, Corruption] = {item.name: item for family in FAMILIES for item in family}

_PART = 2**24
"""Most values damaged at once: filters need some 50 bytes for each."""


def corruption(name: str, severity: int = 1) -> Corruption:
    """Look a corruption up.

    Raises:
        UserError: the name is unknown, and the nearest one is suggested; or it has no such severity.
    """
    if name not in CORRUPTIONS:
        raise unknown_name("corruption", name, CORRUPTIONS)
    num_levels = len(CORRUPTIONS[name].levels)
    if isinstance(severity, bool) or not isinstance(severity, int) or not 1 <= severity <= num_levels:
        raise UserError(f"corruption {name}: severity {severity!r} does not exist; expected 1 to {num_levels}")
    return CORRUPTIONS[name]


def corrupt_batch(
    frames: Tensor,
    name: str,
    severity: int,
    dataset: str,
    video_ids: Sequence[str],
    *,
    independent: bool = False,
    clip_frames: int | None = None,
) -> Tensor:
    """Damage a batch of clips on its device, each reproducibly for its video whatever it is batched with.

    Random numbers are drawn on the CPU and sent to the device; encoders run on the CPU.

    Args:
        frames: (B, F, H_px, W_px, 3) uint8; not changed.
        name: corruption.
        severity: 1 (weakest) to the number of its levels.
        dataset, video_ids: name the clips; with the corruption they key all random draws.
        independent: draw anew at every severity, instead of scaling one set of draws.
        clip_frames: where whole videos are damaged, the frames of the clip that is then sampled from each, by which
            windows scale; None: these are the clips.

    Returns:
        New clips of the same shape and type on the same device.

    Raises:
        UserError: unknown corruption or severity.
        ValueError: the clips have another shape or type, or there are not as many ids.
    """
    chosen = corruption(name, severity)
    if frames.dtype != torch.uint8 or frames.ndim != 5 or frames.shape[-1] != 3 or 0 in frames.shape:
        raise ValueError(
            f"corruption {name}: expected (B, F, H, W, 3) uint8 clips, got {frames.dtype} {tuple(frames.shape)}"
        )
    if isinstance(video_ids, str) or len(video_ids) != len(frames):
        raise ValueError(f"corruption {name}: {len(frames)} clips need as many video ids, got {video_ids!r}")
    key = severity if independent else None
    generators = [keyed_generator(dataset, video_id, name, key) for video_id in video_ids]
    size = max(1, _PART // frames[0].numel())
    # Within mixed precision, products would be rounded to eight bits.
    with torch.no_grad(), torch.autocast(frames.device.type, enabled=False):
        parts = [
            chosen.run(part, severity, generators[start * size : (start + 1) * size], clip_frames or part.shape[1])
            for start, part in enumerate(frames.split(size))
        ]
    return torch.cat(parts)


def corrupt(
    clip: np.ndarray,
    name: str,
    severity: int,
    dataset: str,
    video_id: str,
    *,
    independent: bool = False,
    clip_frames: int | None = None,
) -> np.ndarray:
    """Damage one clip: ``corrupt_batch`` on a batch of one, in numpy.

    Args:
        clip: (F, H_px, W_px, 3) uint8; not changed.
        name, severity, dataset, video_id, independent, clip_frames: as for ``corrupt_batch``.

    Returns:
        A new clip of the same shape and type.

    Raises:
        UserError: unknown corruption or severity.
        ValueError: the clip has another shape or type.
    """
    if clip.dtype != np.uint8 or clip.ndim != 4:
        raise ValueError(f"corruption {name}: expected a (F, H, W, 3) uint8 clip, got {clip.dtype} {clip.shape}")
    # A copy, because torch does not take views that are flipped or read-only.
    batch = torch.from_numpy(clip.copy())[None]
    damaged = corrupt_batch(
        batch, name, severity, dataset, [video_id], independent=independent, clip_frames=clip_frames
    )
    return damaged[0].numpy()
