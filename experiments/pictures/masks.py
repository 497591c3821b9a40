"""Which tokens of a clip each mask shows to the encoder and which it asks the predictor for, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from experiments.pictures.panels import Colour, Panel, Pixels, beside, fitted, sized
from vjepa.grid import Grid

Indices = NDArray[np.int64]

TARGET: Colour = (0, 114, 178)
NEITHER: Colour = (120, 120, 120)
_EDGE: Colour = (255, 255, 255)
_COVER = 0.72
"""Share of the colour where a token is covered."""


def draw_masks(
    frames: Pixels, grid: Grid, masks: Sequence[tuple[Indices, Indices]], motion: NDArray[np.floating] | None = None
) -> Pixels:
    """A clip beside its masks, as an animation.

    The context is left as it is, targets are blue, and tokens that are neither (cut off to make lengths equal) grey.

    Args:
        frames: (F, H_px, W_px, 3) uint8.
        grid: token grid of the clip.
        masks: context and target of each mask, (K,) and (K',) positions in raster order.
        motion: (T, H, W), >= 0: where the clip moves, for a masker that follows it.

    Returns:
        (F, height, width, 3) uint8.
    """
    size = fitted(*frames.shape[1:3])
    shown = sized(frames, size)
    step = np.arange(len(frames)) * grid.time // len(frames)  # time step of each frame
    panels = [Panel("clip", shown, ((None, f"{len(frames)} frames, {grid.time} time steps"),))]
    for number, (context, target) in enumerate(masks):
        panels.append(_mask_panel(f"mask {number}", shown, step, grid, context, target))
    if motion is not None:
        heat = _heat(motion)[step]
        panels.append(Panel("motion map", _mixed(_grey(shown), sized(heat, size), 0.65), ((None, "masks follow it"),)))
    return beside(panels)


def _mask_panel(
    title: str, shown: Pixels, step: NDArray[np.int64], grid: Grid, context: Indices, target: Indices
) -> Panel:
    kind = np.full(grid.num_tokens, 2, np.uint8)  # 0 context, 1 target, 2 neither
    kind[target], kind[context] = 1, 0
    tokens = kind.reshape(grid.time, grid.height, grid.width)[step]
    areas = np.stack([cv2.resize(one, shown.shape[2:0:-1], interpolation=cv2.INTER_NEAREST) for one in tokens])
    covered = _grey(shown)
    picture = shown.copy()
    for value, colour in ((1, TARGET), (2, NEITHER)):
        picture[areas == value] = _mixed(covered, np.array(colour, np.uint8), _COVER)[areas == value]
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


def _heat(motion: NDArray[np.floating]) -> Pixels:
    """Maps (T, H, W) as colours that stay apart in grey, too: (T, H, W, 3)."""
    highest = float(motion.max())
    scaled = (255 * motion / highest if highest > 0 else np.zeros_like(motion)).astype(np.uint8)
    flat = scaled.reshape(len(scaled) * scaled.shape[1], scaled.shape[2])
    heat = cv2.applyColorMap(flat, cv2.COLORMAP_INFERNO)[..., ::-1]
    return heat.reshape(*scaled.shape, 3).astype(np.uint8)


def _grey(frames: Pixels) -> Pixels:
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return np.repeat((frames @ weights)[..., None], 3, axis=-1).astype(np.uint8)


def _mixed(below: Pixels, above: Pixels, share: float) -> Pixels:
    return ((1 - share) * below.astype(np.float32) + share * above).astype(np.uint8)
