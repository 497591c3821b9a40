"""The clips that an encoder takes for the nearest to a clip, clean and under corruptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.pictures.panels import BLUE, YELLOW, Panel, Pixels, at_side, in_rows, wrapped

KEPT, OTHER = BLUE, YELLOW
THUMBNAIL = 112
"""Longer side of a clip."""


@dataclass(frozen=True, eq=False)
class Neighbour:
    """A clip of the gallery.

    Args:
        position: in the gallery.
        frames: (F, H_px, W_px, 3) uint8.
        label: its classes in words.
        similarity: cosine to the clip that asked.
    """

    position: int
    frames: Pixels
    label: str
    similarity: float


@dataclass(frozen=True, eq=False)
class Asked:
    """A clip that asks, and its neighbours.

    Args:
        condition: under which it is shown, in words.
        frames: (F, H_px, W_px, 3) uint8.
        neighbours: nearest first.
    """

    condition: str
    frames: Pixels
    neighbours: tuple[Neighbour, ...]


def draw_neighbours(asked: Sequence[Asked]) -> Pixels:
    """A row for each condition: the clip, then its nearest neighbours: (F, height, width, 3).

    A blue square marks those that are also among the neighbours of the first row, a yellow one the others.

    Args:
        asked: the clean clip first.
    """
    clean = {neighbour.position for neighbour in asked[0].neighbours}
    rows = []
    for number, one in enumerate(asked):
        kept = sum(neighbour.position in clean for neighbour in one.neighbours)
        note = "query" if number == 0 else f"keeps {kept} of {len(one.neighbours)}"
        rows.append(
            [
                Panel(one.condition, _thumbnail(one.frames), ((None, note),)),
                *(_panel(place, each, clean) for place, each in enumerate(one.neighbours, 1)),
            ]
        )
    return in_rows(rows)


def _panel(place: int, neighbour: Neighbour, clean: set[int]) -> Panel:
    picture = _thumbnail(neighbour.frames)
    lines = wrapped(neighbour.label, picture.shape[2] - 16, 2)
    colour = KEPT if neighbour.position in clean else OTHER
    notes = [(colour if number == 0 else None, line) for number, line in enumerate(lines or [""])]
    return Panel(f"{place}.  cos {neighbour.similarity:.2f}", picture, tuple(notes))


def _thumbnail(frames: Pixels) -> Pixels:
    return at_side(frames, THUMBNAIL)
