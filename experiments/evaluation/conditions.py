"""Under which condition test clips are shown: clean, or damaged by one corruption at one severity."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from vjepa.corruptions import corrupt_batch

Condition = tuple[str, int]
"""Name of the corruption and severity."""

CLEAN: Condition = ("none", 0)


def spoken(condition: Condition) -> str:
    """The condition in words."""
    return "clean" if condition == CLEAN else f"{condition[0]} {condition[1]}"


def show(frames: Tensor, condition: Condition, data_name: str, video_ids: Sequence[str]) -> Tensor:
    """Clips under a condition, on the device of the clips.

    Args:
        frames: (B, F, H_px, W_px, 3) uint8, clean; not changed.
        condition: ``CLEAN`` or (corruption, severity).
        data_name, video_ids: key the random draws.
    """
    return frames if condition == CLEAN else corrupt_batch(frames, *condition, data_name, video_ids)
