"""Which tokens of a clip each mask shows to the encoder and which it asks the predictor for, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from experiments.pictures.motion import motion_panel
from experiments.pictures.overlays import grey, mixed, steps_of
from experiments.pictures.panels import BLUE, GREY, SIDE, Colour, Panel, Pixels, beside, clip_panel
from vjepa.grid import Grid

Indices = NDArray[np.int64]

TARGET, NEITHER = BLUE, GREY
_EDGE: Colour = (255, 255, 255)
_COVER = 0.72
"""Share of the colour where a token is covered."""


def draw_masks(
    frames: Pixels, grid: Grid, masks: Sequence[tuple[Indices, Indices]], motion: NDArray[np.floating] | None = None
) -> Pixels:
    """A clip beside its masks, as an animation.

    Args:
        frames, grid, masks: as in ``mask_panels``.
        motion: (T, H, W), >= 0: where the clip moves, for a masker that follows it.

    Returns:
        (F, height, width, 3) uint8.
    """
    panels = mask_panels(frames, grid, masks)
    return beside(panels if motion is None else [*panels, motion_panel(frames, motion, "masks follow it")])


def mask_panels(frames: Pixels, grid: Grid, masks: Sequence[tuple[Indices, Indices]], side: int = SIDE) -> list[Panel]:
    """The clip, then each of its masks.

    The context is left as it is, targets are blue, and tokens that are neither (cut off to make lengths equal) grey.

    Args:
        frames: (F, H_px, W_px, 3) uint8.
        grid: token grid of the clip.
        masks: context and target of each mask, (K,) and (K',) positions in raster order.
        side: of a panel, in pixels.
    """
    clip = clip_panel(frames, grid.time, side)
    return [clip, *(_mask_panel(f"mask {n}", clip.frames, grid, *mask) for n, mask in enumerate(masks))]


def _mask_panel(title: str, shown: Pixels, grid: Grid, context: Indices, target: Indices) -> Panel:
    kind = np.full(grid.num_tokens, 2, np.uint8)  # 0 context, 1 target, 2 neither
    kind[target], kind[context] = 1, 0
    tokens = kind.reshape(grid.time, grid.height, grid.width)[steps_of(len(shown), grid.time)]
    areas = np.stack([cv2.resize(one, shown.shape[2:0:-1], interpolation=cv2.INTER_NEAREST) for one in tokens])
    covered = grey(shown)
    picture = shown.copy()
    for value, colour in ((1, TARGET), (2, NEITHER)):
        picture[areas == value] = mixed(covered, np.array(colour, np.uint8), _COVER)[areas == value]
    picture[_edges(areas)] = _EDGE
    share = np.bincount(kind, minlength=3) / grid.num_tokens
    names = ((_EDGE, "context"), (TARGET, "target"), (NEITHER, "neither"))
    notes = tuple((colour, f"{name} {each:.0%}") for (colour, name), each in zip(names, share, strict=True))
    return Panel(title, picture, notes)


def _edges(areas: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels (F, H_px, W_px) at which another area begins."""
    edges = np.zeros(areas.shape, bool)
    edges[:, 1:] |= areas[:, 1:] != areas[:, :-1]
    edges[:, :, 1:] |= areas[:, :, 1:] != areas[:, :, :-1]
    return edges
