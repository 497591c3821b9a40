"""Pictures as the bytes of files: PNG, and GIF for what moves."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from experiments.pictures.panels import KEY_COLOURS, Pixels

_MOST = 256
"""Colours of a palette."""
_NEAR = 8


def encode_gif(frames: Pixels, seconds: float = 0.25, num_colours: int = _MOST) -> bytes:
    """An animation that repeats for ever.

    Args:
        frames: (F, H_px, W_px, 3) uint8.
        seconds: each frame is shown for, in steps of 0.01.
        num_colours: of its palette, at most 256.
    """
    # One palette for all frames: colours that are chosen frame by frame flicker.
    palette = _palette(np.concatenate(list(frames)), num_colours)
    coded = [_limited(frame, palette) for frame in frames]
    buffer = BytesIO()
    coded[0].save(buffer, "GIF", save_all=True, append_images=coded[1:], duration=round(1000 * seconds), loop=0)
    return buffer.getvalue()


def encode_png(picture: Pixels, num_colours: int | None = None) -> bytes:
    """A picture that is exact, or small.

    Args:
        picture: (H_px, W_px, 3) uint8.
        num_colours: of a palette, at most 256; None keeps all.
    """
    is_small = num_colours is not None
    image = _limited(picture, _palette(picture, num_colours)) if num_colours else Image.fromarray(picture)
    buffer = BytesIO()
    image.save(buffer, "PNG", optimize=is_small)
    return buffer.getvalue()


def _palette(picture: Pixels, num_colours: int) -> Image.Image:
    """Colours of a picture, those of legends among them: they cover so little that they would be averaged away."""
    free = num_colours - len(KEY_COLOURS)
    key = np.array(KEY_COLOURS)
    found = Image.fromarray(picture).quantize(free, dither=Image.Dither.NONE).getpalette() or []
    colours = np.array(found[: 3 * free]).reshape(-1, 3)
    # The look-up is not exact: a near double would stand in for the colour itself.
    is_near = (np.abs(colours[:, None] - key).max(axis=-1) < _NEAR).any(axis=1)
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.concatenate([key, colours[~is_near]]).ravel().tolist())
    return palette


def _limited(picture: Pixels, palette: Image.Image) -> Image.Image:
    return Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE)
