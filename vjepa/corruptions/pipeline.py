"""The order of operations: where between decoding and the model a corruption acts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vjepa.corruptions.base import Stage
from vjepa.corruptions.registry import corrupt, corruption


def corrupt_video(
    video: np.ndarray,
    sample: np.ndarray,
    view: Callable[[np.ndarray], np.ndarray],
    name: str,
    severity: int,
    dataset: str,
    video_id: str,
    *,
    independent: bool = False,
) -> np.ndarray:
    """Make a clip of a decoded video that is damaged where its corruption belongs.

    Compression and transmission act on all frames at their own resolution, temporal blur on all frames; then F of
    them are sampled, frozen, held or shuffled; each is resized and cropped; then its pixels are damaged.

    Args:
        video: (N, H_px, W_px, 3) uint8, all frames in order; not changed. Decoded once, it serves any number of calls.
        sample: (F,) int64 frame numbers in [0, N), F >= 1.
        view: from a frame (H_px, W_px, 3) to what the model sees of it (h_px, w_px, 3) uint8.
        name, severity, dataset, video_id, independent: as for ``corrupt_batch``.

    Returns:
        (F, h_px, w_px, 3) uint8.

    Raises:
        UserError: unknown corruption or severity.
        ValueError: the video has another shape or type, or no frame is sampled.
    """
    stage = corruption(name).stage

    def damage(frames: np.ndarray, *here: Stage) -> np.ndarray:
        if stage not in here:
            return frames
        return corrupt(frames, name, severity, dataset, video_id, independent=independent, clip_frames=len(sample))

    clip = damage(damage(video, "native", "source")[sample], "sampled")
    return damage(np.stack([view(frame) for frame in clip]), "model")
