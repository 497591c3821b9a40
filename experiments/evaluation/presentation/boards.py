"""Result rows of one evaluation as figures and tables read them: a board for each benchmark and probe."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from experiments.evaluation.analyses.order import FULL
from experiments.evaluation.analyses.rows import NO_PROBE
from experiments.evaluation.conditions import CLEAN, Condition
from experiments.evaluation.presentation.titles import encoder_titles, is_control
from experiments.evaluation.views import WHOLE
from experiments.results import Predictions, Row, RowStamp
from vjepa.corruptions import CORRUPTIONS
from vjepa.metrics import CleanAccuracy
from vjepa.metrics.ratios import ORDER

TOP1 = "top1"


@dataclass(frozen=True, eq=False)
class Standing:
    """One probe on the whole representation of one encoder.

    Args:
        title: of the encoder.
        stamp: the encoder.
        clean: accuracy on clean test clips, with the majority-class rate.
        is_constant: the probe gives (nearly) all clean clips one class.
        num_excluded: clips that are missing because their files are broken.
        top1: accuracy in [0, 1] by condition, clean among them.
        values: every other number by (metric, condition); a profile's name with severity 0 is the condition of a
            summary.
        index: (n,) positions of the clips in the split; empty where there are no predictions.
        correct: (n,) bool by condition, in that order.
    """

    title: str
    stamp: RowStamp
    clean: CleanAccuracy
    is_constant: bool
    num_excluded: int
    top1: Mapping[Condition, float]
    values: Mapping[tuple[str, Condition], float]
    index: np.ndarray
    correct: Mapping[Condition, np.ndarray]

    def summary(self, metric: str, profile: str) -> float:
        """``<metric>_<profile>``, NaN where it is undefined or was not asked for."""
        return self.values.get((f"{metric}_{profile}", (profile, 0)), math.nan)

    @property
    def order_sensitivity(self) -> float:
        """OS with all frames shuffled, NaN where it is undefined or was not asked for."""
        return self.values.get(("os", FULL), math.nan)

    @property
    def margin(self) -> float:
        """Clean accuracy above the majority rate, NaN where no ratio can stand on it."""
        return math.nan if self.is_constant else self.clean.margin


@dataclass(frozen=True, eq=False)
class Board:
    """Everything that one probe found on one benchmark; runs come first, then controls."""

    benchmark: str
    probe: str
    standings: tuple[Standing, ...]

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """Every condition that some encoder was judged under, without clean."""
        return tuple(dict.fromkeys(key for one in self.standings for key in one.top1 if key != CLEAN))

    @property
    def corruptions(self) -> tuple[str, ...]:
        """Names of the label-preserving corruptions, by group."""
        names = dict.fromkeys(name for name, _ in self.conditions if group_of(name) != ORDER)
        groups = list(dict.fromkeys(map(group_of, names)))
        return tuple(sorted(names, key=lambda name: groups.index(group_of(name))))

    @cached_property
    def profiles(self) -> tuple[str, ...]:
        """Profiles that means are over."""
        named = ((metric, condition) for one in self.standings for metric, condition in one.values)
        return tuple(dict.fromkeys(where for metric, (where, _) in named if metric == f"mpc_{where}"))

    def severities(self, corruption: str) -> tuple[int, ...]:
        """Ascending."""
        return tuple(sorted(severity for name, severity in self.conditions if name == corruption))

    @property
    def num_clips(self) -> int:
        """Test clips behind the accuracies, the fewest should encoders differ."""
        return min(one.clean.num_clips for one in self.standings)


def group_of(corruption: str) -> str:
    """Group of a corruption: spatial, temporal, codec or order."""
    return CORRUPTIONS[corruption].group


def stamp_of(row: Row) -> RowStamp:
    """Identity of the encoder of a row."""
    return RowStamp(**{item.name: getattr(row, item.name) for item in fields(RowStamp)})


def make_boards(rows: Iterable[Row], predictions: Iterable[Predictions] = ()) -> tuple[Board, ...]:
    """Sort rows of one evaluation; those of other splits than test, of subspaces and without a probe are passed over.

    Args:
        rows: of one call of the evaluation, in the order of its encoders.
        predictions: of the same; what they add is resampling of clips.

    Returns:
        One board for each benchmark and probe that has a clean accuracy.
    """
    found: dict[tuple[str, str], dict[RowStamp, list[Row]]] = {}
    for row in rows:
        if row.split == "test" and row.subspace == WHOLE and row.probe != NO_PROBE:
            found.setdefault((row.benchmark, row.probe), {}).setdefault(stamp_of(row), []).append(row)
    blocks: dict[tuple[str, str, RowStamp], dict[Condition, Predictions]] = {}
    for block in predictions:
        if block.subspace == WHOLE:
            key = (block.benchmark, block.probe, block.stamp)
            blocks.setdefault(key, {})[block.corruption, block.severity] = block
    titles = encoder_titles(stamp for by_stamp in found.values() for stamp in by_stamp)
    boards = []
    for (benchmark, probe), by_stamp in found.items():
        made = [
            standing
            for stamp, own in by_stamp.items()
            if (standing := _standing(titles[stamp], stamp, own, blocks.get((benchmark, probe, stamp), {})))
        ]
        if made:
            boards.append(Board(benchmark, probe, tuple(sorted(made, key=lambda one: is_control(one.stamp)))))
    return tuple(boards)


def _standing(
    title: str, stamp: RowStamp, rows: Sequence[Row], blocks: Mapping[Condition, Predictions]
) -> Standing | None:
    values = {(row.metric, (row.corruption, row.severity)): row for row in rows}
    clean, majority = values.get((TOP1, CLEAN)), values.get(("majority_rate", CLEAN))
    if clean is None or majority is None:
        return None
    constant = values.get(("constant_predictor", CLEAN))
    return Standing(
        title,
        stamp,
        CleanAccuracy(clean.value, majority.value, clean.n),
        constant is not None and constant.value > 0,
        clean.excluded,
        {condition: row.value for (metric, condition), row in values.items() if metric == TOP1},
        {key: row.value for key, row in values.items() if key[0] != TOP1},
        blocks[CLEAN].index if CLEAN in blocks else np.empty(0, np.int64),
        {condition: block.correct for condition, block in blocks.items()} if CLEAN in blocks else {},
    )
