"""What is asked of the test clips: an analysis names its conditions, collects numbers per clip, and reports rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from data_modules.clips.datasets import ClipDataset
from data_modules.clips.views import ONE_VIEW, EvaluationViews
from experiments.evaluation.conditions import CLEAN, Condition
from experiments.evaluation.encoded import Encoded
from experiments.evaluation.subjects import Subject
from experiments.probes import FittedProbe
from experiments.results import ClipValues, Predictions, Row

Arrays = Mapping[str, Tensor]


@dataclass(frozen=True)
class Found:
    """All that was collected about one subject, n clips.

    Of a video of several views, logits are the average; all else was collected of the first view.

    Args:
        data_name: of the data set.
        dataset: the split that was shown.
        labels: (n, Q) int64, -1 where a task does not apply.
        index: (n,) int64 positions in the split.
        excluded: positions of clips that belong there and whose files are broken.
        arrays: by condition, each (n, ...).
        views: of each video, behind the logits.
    """

    data_name: str
    dataset: ClipDataset
    labels: Tensor
    index: Tensor
    excluded: Tensor
    arrays: Mapping[Condition, Arrays]
    views: EvaluationViews = ONE_VIEW

    @property
    def video_ids(self) -> tuple[str, ...]:
        """n names."""
        return tuple(self.dataset.video_ids[position] for position in self.index.tolist())

    def logits(self, probe: int, condition: Condition = CLEAN) -> Tensor:
        """What probe number ``probe`` of the subject said, (n, C) float32."""
        return self.arrays[condition][logits_key(probe)].float()

    def mean(self, condition: Condition = CLEAN) -> Tensor:
        """Mean over all tokens of the whole representation, (n, C) float32; kept where an analysis needs it."""
        return self.arrays[condition][MEAN].float()

    def surprise(self, condition: Condition = CLEAN) -> Tensor | None:
        """Error of the predictor, (n,) float32; kept where an analysis needs it and the subject has a predictor."""
        return self.arrays[condition].get(SURPRISE)

    def extra(self, analysis: str, condition: Condition) -> dict[str, Tensor]:
        """What an analysis has collected itself."""
        prefix = f"{analysis}/"
        return {
            name.removeprefix(prefix): value
            for name, value in self.arrays[condition].items()
            if name.startswith(prefix)
        }


MEAN = "mean"
SURPRISE = "surprise"


def logits_key(probe: int) -> str:
    """Name of the array of a probe's logits."""
    return f"probe{probe}"


@dataclass(frozen=True)
class Report:
    """What an analysis found about one subject; in a notebook it shows its rows, not every clip."""

    rows: tuple[Row, ...] = ()
    predictions: tuple[Predictions, ...] = field(default=(), repr=False)
    clips: tuple[ClipValues, ...] = field(default=(), repr=False)

    def __add__(self, other: Report) -> Report:
        return Report(self.rows + other.rows, self.predictions + other.predictions, self.clips + other.clips)


class Analysis(ABC):
    """One question about the test clips."""

    name: str
    needs_mean = False
    """Whether the mean features of every condition are kept."""

    needs_surprise = False
    """Whether the predictor of a subject that has one is asked under every condition."""

    @property
    @abstractmethod
    def conditions(self) -> tuple[Condition, ...]:
        """Conditions to show the clips under, beside clean."""

    @property
    def identity(self) -> object:
        """All options as plain data: evaluations of equal identity give equal numbers."""
        return [self.name, list(self.conditions)]

    def collect(
        self, subject: Subject, probes: Sequence[FittedProbe], clean: Encoded, condition: Condition, seen: Encoded
    ) -> dict[str, Tensor]:
        """Numbers of a batch under one condition, each (B, ...); logits and mean features are kept anyway.

        Of a video of several views this is the first.

        Args:
            subject: whose tokens they are.
            probes: fitted on its clean features.
            clean: the batch as it is.
            condition: ``CLEAN`` or one of ``conditions``; the conditions of other analyses are not shown to this one.
            seen: the batch under the condition.
        """
        return {}

    @abstractmethod
    def report(self, subject: Subject, probes: Sequence[FittedProbe], found: Found) -> Report:
        """Rows and per-clip numbers of one subject."""
