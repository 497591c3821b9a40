"""Pictures as the bytes of files: PNG, and GIF for what moves."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from experiments.pictures.panels import Pixels


def encode_gif(frames: Pixels, seconds: float = 0.25) -> bytes:
    """An animation that repeats for ever.

    Args:
        frames: (F, H_px, W_px, 3) uint8.
        seconds: each frame is shown for, in steps of 0.01.
    """
    # One palette for all frames: colours that are chosen frame by frame flicker.
    palette = Image.fromarray(np.concatenate(list(frames))).quantize(256, dither=Image.Dither.NONE)
    coded = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    buffer = BytesIO()
    coded[0].save(buffer, "GIF", save_all=True, append_images=coded[1:], duration=round(1000 * seconds), loop=0)
    return buffer.getvalue()


def encode_png(picture: Pixels) -> bytes:
    """A picture (H_px, W_px, 3) uint8."""
    buffer = BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()
