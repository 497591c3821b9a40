"""Evaluations whose answer is known: probes that say what they are told, features that are what they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from data_modules.clips.datasets import Task
from experiments.evaluation.analyses.base import MEAN, SURPRISE, Analysis, Found, logits_key
from experiments.evaluation.conditions import CLEAN, Condition
from experiments.evaluation.encoded import Encoded
from experiments.evaluation.encoders import PixelEncoder
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import ALL, WHOLE, View
from experiments.results import Row, RowStamp
from vjepa.corruptions import Profile

STAMP = RowStamp("glyphs", "glyphs", "fwm", "as_described", "within_level", 0, 100, "teacher", "cafe")
COLOUR = Task("appearance", ("red", "blue"), temporal=False)
ORDER = Task("order", ("grow", "shrink", "fade_in", "fade_out"), temporal=True)
DAMAGE = Profile("damage", ("gaussian_noise", "fog", "frame_freeze", "h264_crf", "jumbling"), (1, 3))
"""Two spatial corruptions, a temporal one, one of the codec, and one that changes the order of frames."""


@dataclass(frozen=True)
class Split:
    """What an analysis reads of a data set."""

    labels: Tensor
    tasks: tuple[Task, ...]
    split: str = "test"

    @cached_property
    def video_ids(self) -> tuple[str, ...]:
        return tuple(f"clip{number}" for number in range(len(self.labels)))


def speak(encoded: Encoded) -> Tensor:
    raise AssertionError("this probe is not asked")


@dataclass(frozen=True)
class Probe:
    """A stand-in for a fitted probe."""

    view: str = WHOLE
    column: int = 0
    num_classes: int = 2
    reads: str = "time"
    name: str = "linear_time"
    says: Callable[[Encoded], Tensor] = speak
    protocol: Any = field(init=False)

    def __post_init__(self) -> None:
        protocol = SimpleNamespace(name=self.name, hash="0123456789ab", reads=self.reads)
        object.__setattr__(self, "protocol", protocol)

    def logits(self, encoded: Encoded) -> Tensor:
        return self.says(encoded)


def subject(views: Sequence[View] = (ALL,), stamp: RowStamp = STAMP) -> Subject:
    return Subject("it", PixelEncoder(4, 2), stamp, "beef", tuple(views))


def said(classes: Tensor, num_classes: int, share: float = 0.8) -> Tensor:
    """Logits that give one class of each clip this share and the others equal parts of the rest."""
    shares = torch.full((len(classes), num_classes), (1 - share) / (num_classes - 1))
    return shares.scatter_(1, classes[:, None], share).log()


def right_on(labels: Tensor, clips: Iterable[int], num_classes: int = 2) -> Tensor:
    """Predicted classes: the label on these clips, the next class on the others."""
    wrong = (labels + 1) % num_classes
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    chosen[list(clips)] = True
    return torch.where(chosen, labels, wrong)


def found(
    labels: Tensor,
    tasks: tuple[Task, ...] = (COLOUR,),
    answers: Mapping[Condition, Sequence[Tensor]] | None = None,
    features: Mapping[Condition, Tensor] | None = None,
    surprise: Mapping[Condition, Tensor] | None = None,
    extra: Mapping[Condition, Mapping[str, Tensor]] | None = None,
    excluded: Sequence[int] = (),
) -> Found:
    """All clips of a split but the excluded ones.

    Args:
        labels: (N, Q) of the whole split.
        tasks: Q.
        answers: logits of each probe, by condition.
        features, surprise: mean features and errors of the predictor, by condition.
        extra: what analyses have collected.
        excluded: positions that could not be read.
    """
    arrays: dict[Condition, dict[str, Tensor]] = {}
    for condition, probes in (answers or {}).items():
        arrays.setdefault(condition, {}).update({logits_key(i): logits for i, logits in enumerate(probes)})
    for name, source in ((MEAN, features), (SURPRISE, surprise)):
        for condition, values in (source or {}).items():
            arrays.setdefault(condition, {})[name] = values
    for condition, values in (extra or {}).items():
        arrays.setdefault(condition, {}).update(values)
    index = torch.tensor([number for number in range(len(labels)) if number not in set(excluded)])
    dataset: Any = Split(labels, tasks)
    return Found("made", dataset, labels[index], index, torch.tensor(list(excluded), dtype=torch.int64), arrays)


def collected(
    analysis: Analysis, who: Subject, probes: Sequence[Probe], tokens: Mapping[Condition, Tensor]
) -> dict[Condition, dict[str, Tensor]]:
    """What the engine keeps of one batch that was encoded under every condition."""
    clean = Encoded(tokens[CLEAN])
    kept = {}
    for condition, seen in tokens.items():
        extra = analysis.collect(who, probes, clean, condition, Encoded(seen))
        kept[condition] = {f"{analysis.name}/{name}": value for name, value in extra.items()}
    return kept


def table(rows: Iterable[Row], **where: Any) -> dict[tuple[str, str, int], Row]:
    """Rows by (metric, corruption, severity), those that match; no two may share a place."""
    chosen = [row for row in rows if all(getattr(row, name) == value for name, value in where.items())]
    places = {(row.metric, row.corruption, row.severity): row for row in chosen}
    assert len(places) == len(chosen), "two rows in one place"
    return places
