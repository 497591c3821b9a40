"""Panels with a title and notes, side by side: what an animation or a strip of pictures is put together from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

SIDE = 160
"""Longer side of a clip in a panel."""
INK: Colour = (34, 34, 34)
PAPER: Colour = (255, 255, 255)
TRACK: Colour = (217, 217, 217)
BLUE: Colour = (0, 114, 178)
YELLOW: Colour = (230, 159, 0)
GREY: Colour = (120, 120, 120)
KEY_COLOURS: tuple[Colour, ...] = (PAPER, INK, TRACK, BLUE, YELLOW, GREY)
"""Colours that mean something, of Okabe and Ito's palette; files keep them exactly."""
_LINE, _GAP, _BAR, _SWATCH = 16, 10, 3, 9


@dataclass(frozen=True, eq=False)
class Panel:
    """A picture that moves, under a title.

    Args:
        title: one line.
        frames: (F, H_px, W_px, 3) uint8.
        notes: lines below the title, each with the colour of the little square before it, or None for no square.
    """

    title: str
    frames: Pixels
    notes: tuple[tuple[Colour | None, str], ...] = ()


def fitted(height: int, width: int, side: int = SIDE) -> tuple[int, int]:
    """Height and width at which a clip is shown: ``side`` at most; small clips grow by whole factors, square pixels."""
    longer = max(height, width)
    if longer <= side:
        return height * (side // longer), width * (side // longer)
    return max(1, round(height * side / longer)), max(1, round(width * side / longer))


def sized(frames: Pixels, size: tuple[int, int]) -> Pixels:
    """Frames (F, H_px, W_px, 3) or (F, H_px, W_px) at another (height, width): areas shrink, squares grow."""
    grows = size[0] >= frames.shape[1]
    way = cv2.INTER_NEAREST if grows else cv2.INTER_AREA
    return np.stack([cv2.resize(frame, size[::-1], interpolation=way) for frame in frames])


def at_side(frames: Pixels, side: int = SIDE) -> Pixels:
    """Frames at the size of ``fitted``."""
    return sized(frames, fitted(frames.shape[1], frames.shape[2], side))


def clip_panel(frames: Pixels, num_steps: int, side: int = SIDE) -> Panel:
    """A clip (F, H_px, W_px, 3) as it is, to stand beside what an encoder of T time steps makes of it."""
    note = f"{len(frames)} frames, {num_steps} time steps"
    return Panel("clip", at_side(frames, side), ((None, note),))


def beside(panels: Sequence[Panel]) -> Pixels:
    """Panels from left to right, above a bar that shows the time: (F, height, width, 3).

    Args:
        panels: one or more, with one number of frames; a panel of one frame stands still.
    """
    return in_rows([panels])


def in_rows(rows: Sequence[Sequence[Panel]]) -> Pixels:
    """Rows of panels below one another, above a bar that shows the time: (F, height, width, 3).

    Args:
        rows: one or more, of as many panels of equal widths; frames as in ``beside``.
    """
    num_frames = max(len(panel.frames) for panels in rows for panel in panels)
    parts = [_row(panels, num_frames) for panels in rows]
    gap = _paper(num_frames, _GAP, parts[0].shape[2])
    picture = np.concatenate([part for row in parts for part in (gap, row)], axis=1)
    return np.concatenate([picture, _time_bar(num_frames, picture.shape[2])], axis=1)


def _row(panels: Sequence[Panel], num_frames: int) -> Pixels:
    num_lines = 1 + max(len(panel.notes) for panel in panels)
    columns = [_column(panel, num_frames, num_lines) for panel in panels]
    height = max(column.shape[1] for column in columns)
    gap = _paper(num_frames, height, _GAP)
    parts = [gap]
    for column in columns:
        parts += [_lengthened(column, height), gap]
    return np.concatenate(parts, axis=2)


def text_strip(height: int, width: int, lines: Sequence[tuple[Colour | None, str]]) -> Pixels:
    """Lines of text on white, (height, width, 3); each after a square of its colour, if it has one."""
    image = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(image)
    for number, (colour, text) in enumerate(lines):
        top, left = number * _LINE, 0
        if colour is not None:
            corner = top + (_LINE - _SWATCH) // 2
            draw.rectangle((0, corner, _SWATCH, corner + _SWATCH), fill=colour, outline=INK)
            left = _SWATCH + 6
        draw.text((left, top + _LINE / 2), text, fill=INK, font=_font(), anchor="lm")
    return np.asarray(image)


def text_width(text: str) -> int:
    """Pixels that a line takes."""
    return math.ceil(_font().getlength(text))


def wrapped(text: str, width: int, most_lines: int) -> list[str]:
    """Words of a text on lines of ``width`` pixels; what does not fit ends in an ellipsis."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    kept = lines[:most_lines]
    for number, line in enumerate(kept):
        is_cut = number == most_lines - 1 and len(lines) > most_lines
        if is_cut or text_width(line) > width:
            while line and text_width(line + "\u2026") > width:
                line = line[:-1]
            kept[number] = line + "\u2026"
    return kept


def _column(panel: Panel, num_frames: int, num_lines: int) -> Pixels:
    height, width = panel.frames.shape[1:3]
    strip = text_strip(num_lines * _LINE + 4, width, [(None, panel.title), *panel.notes])
    frames = np.broadcast_to(panel.frames, (num_frames, height, width, 3))
    return np.concatenate([np.broadcast_to(strip, (num_frames, *strip.shape)), frames], axis=1)


def _lengthened(frames: Pixels, height: int) -> Pixels:
    missing = height - frames.shape[1]
    return np.concatenate([frames, _paper(len(frames), missing, frames.shape[2])], axis=1) if missing else frames


def _time_bar(num_frames: int, width: int) -> Pixels:
    """A bar that grows to the right; it also keeps the frames of a still clip apart."""
    strip = _paper(num_frames, 2 * _BAR + _BAR, width)
    strip[:, _BAR : 2 * _BAR, _GAP : width - _GAP] = TRACK
    for number in range(num_frames):
        end = _GAP + round((width - 2 * _GAP) * (number + 1) / num_frames)
        strip[number, _BAR : 2 * _BAR, _GAP:end] = INK
    return strip


def _paper(num_frames: int, height: int, width: int) -> Pixels:
    return np.full((num_frames, height, width, 3), PAPER, np.uint8)


@lru_cache
def _font() -> ImageFont.FreeTypeFont:
    """The font of the figures, which matplotlib brings along."""
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", 11)
