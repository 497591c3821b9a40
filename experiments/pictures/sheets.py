"""A picture as it is kept: what stands still, what moves, and the legend below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.pictures.animation import encode_gif, encode_png
from experiments.pictures.panels import PAPER, SIDE, Panel, Pixels, beside, text_strip, wrapped
from experiments.pictures.strips import STRIP_SIDE, over_time

_MARGIN, _LINE = 10, 16
_LEAST = 480
"""Width for the lines below a small picture."""


@dataclass(frozen=True, eq=False)
class Sheet:
    """A picture.

    Args:
        still: (height, width, 3) uint8.
        moving: (F, height, width, 3) uint8, where time matters.
    """

    still: Pixels
    moving: Pixels | None = None

    @classmethod
    def of_panels(cls, make: Callable[[int], Sequence[Panel]], num_steps: int) -> Sheet:
        """Panels beside one another where they move, and over T time steps where they stand still.

        Args:
            make: from the longer side of a panel in pixels to the panels.
            num_steps: T.
        """
        return cls(over_time(make(STRIP_SIDE), num_steps), beside(make(SIDE)))

    def under(self, legend: Sequence[str]) -> Sheet:
        """The same with lines of text below; long lines are broken."""
        moving = None if self.moving is None else _under(self.moving, legend)
        return Sheet(_under(self.still[None], legend)[0], moving)

    def files(self, name: str, num_colours: int | None = None) -> dict[str, bytes]:
        """The bytes of ``name``.png, and of ``name``.gif where it moves.

        Args:
            name: of the files.
            num_colours: of a palette, at most 256, for small files; None: as many as the format takes.
        """
        made = {f"{name}.png": encode_png(self.still, num_colours)}
        if self.moving is not None:
            made[f"{name}.gif"] = encode_gif(self.moving, num_colours=num_colours or 256)
        return made


def stacked(sheets: Sequence[Sheet]) -> Sheet:
    """Sheets below one another: those of several encoders; what moves has one number of frames."""
    moving = [sheet.moving for sheet in sheets if sheet.moving is not None]
    return Sheet(_stack([sheet.still[None] for sheet in sheets])[0], _stack(moving) if moving else None)


def _stack(pictures: Sequence[Pixels]) -> Pixels:
    width = max(picture.shape[2] for picture in pictures)
    parts = [_widened(picture, width) for picture in pictures]
    gap = np.full((len(parts[0]), _MARGIN, width, 3), PAPER, np.uint8)
    return np.concatenate([parts[0], *(part for picture in parts[1:] for part in (gap, picture))], axis=1)


def _widened(picture: Pixels, width: int) -> Pixels:
    frames, height, own, _ = picture.shape
    missing = np.full((frames, height, width - own, 3), PAPER, np.uint8)
    return np.concatenate([picture, missing], axis=2)


def _under(picture: Pixels, legend: Sequence[str]) -> Pixels:
    picture = _widened(picture, max(picture.shape[2], _LEAST))
    width = picture.shape[2] - 2 * _MARGIN
    lines = [part for line in legend for part in wrapped(line, width, 3)]
    text = text_strip(len(lines) * _LINE, width, [(None, line) for line in lines])
    text = np.pad(text, ((4, 0), (_MARGIN, _MARGIN), (0, 0)), constant_values=PAPER[0])
    return np.concatenate([picture, np.broadcast_to(text, (len(picture), *text.shape))], axis=1)
