"""Where an attentive probe looks when it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.pictures.overlays import heat_over
from experiments.pictures.panels import SIDE, Panel, Pixels, at_side, clip_panel, wrapped


@dataclass(frozen=True, eq=False)
class Answer:
    """What a probe says of a clip.

    Args:
        task: that it answers.
        said: class of the highest logit.
        probability: of that, in [0, 1].
        accuracy: of the probe on validation clips, in [0, 1].
        attention: (T, H, W), mean over heads, >= 0.
    """

    task: str
    said: str
    probability: float
    accuracy: float
    attention: NDArray[np.floating]


def attention_panels(frames: Pixels, answers: Sequence[Answer], side: int = SIDE) -> list[Panel]:
    """A clip, then the attention of the probe of each task over it in grey, each by its own maximum.

    The last note says how much more than an even share the brightest token gets.

    Args:
        frames: (F, H_px, W_px, 3) uint8.
        answers: one or more, on one grid.
        side: of a panel, in pixels.
    """
    shown = at_side(frames, side)
    panels = [clip_panel(frames, len(answers[0].attention), side)]
    for answer in answers:
        most = answer.attention.max() / answer.attention.mean()
        said = wrapped(f"says {answer.said}, {answer.probability:.0%}", max(shown.shape[2], 96), 2)
        lines = (*said, f"val top-1 {answer.accuracy:.0%}", f"peak {most:.1f}x uniform")
        notes = tuple((None, line) for line in lines)
        panels.append(Panel(answer.task, heat_over(shown, answer.attention), notes))
    return panels
