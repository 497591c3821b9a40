"""What the figures of one board share: who has which colour, and intervals over clips."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from experiments.evaluation.conditions import CLEAN, Condition
from experiments.evaluation.presentation.boards import Board, Standing
from experiments.evaluation.presentation.resampling import ClipResampling
from experiments.evaluation.presentation.titles import PIXELS, is_control
from experiments.report.scores import task_title
from experiments.report.style import PIXELS_STYLE, RANDOM_INIT_STYLE, LineStyle, numbered_style
from experiments.report.wording import probe_name
from experiments.results import RowStamp

Resampled = Mapping[Condition, NDArray[np.float64]]
"""Accuracy (R,) by condition, clean among them."""


def styles_of(stamps: Iterable[RowStamp]) -> dict[RowStamp, LineStyle]:
    """Controls are grey and black; the encoders of runs take the colours in their order."""
    styles = {}
    for stamp in stamps:
        if is_control(stamp):
            styles[stamp] = PIXELS_STYLE if stamp.weights == PIXELS else RANDOM_INIT_STYLE
        else:
            styles[stamp] = numbered_style(sum(not is_control(other) for other in styles))
    return styles


@lru_cache(maxsize=64)
def resampled(standing: Standing) -> Resampled:
    """Accuracies on resampled clips, nothing without predictions; encoders of the same clips share the resamples."""
    if not len(standing.index):
        return {}
    conditions = list(standing.correct)
    means = _resampling(len(standing.index)).means([standing.correct[condition] for condition in conditions])
    return {condition: means[:, column] for column, condition in enumerate(conditions)}


@lru_cache(maxsize=2)
def _resampling(num_clips: int) -> ClipResampling:
    return ClipResampling(num_clips)


def over_severities(
    board: Board, accuracies: Mapping[Condition, NDArray[np.float64]], name: str
) -> NDArray[np.float64]:
    """PC of a corruption: mean over the severities that the board has."""
    return np.mean([accuracies[name, severity] for severity in board.severities(name)], axis=0)


def is_complete(board: Board, known: Iterable[Condition]) -> bool:
    """Whether nothing label-preserving is missing."""
    have = set(known)
    return CLEAN in have and all(
        (name, severity) in have for name in board.corruptions for severity in board.severities(name)
    )


def headline(board: Board, what: str) -> str:
    """Title of a figure: what it shows, on which task, by which probe, on how many clips."""
    return f"{what}: {task_title(board.benchmark)}, {probe_name(board.probe)}, n = {board.num_clips:,} test clips"


def same_clips(standings: Sequence[Standing]) -> bool:
    """Whether there are predictions on the very same clips."""
    first = standings[0].index
    return len(first) > 0 and all(np.array_equal(first, other.index) for other in standings)
