"""How far corruption moves a representation, asked without probes.

Stability is not utility: a constant representation is perfectly stable, so these numbers stand beside accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from experiments.evaluation.analyses.base import Analysis, Found, Report
from experiments.evaluation.analyses.mean_features import of_view
from experiments.evaluation.analyses.rows import Options, averages, chosen_profile, label_free_rows
from experiments.evaluation.analyses.subspace_stability import clip_values, subspace_stability
from experiments.evaluation.conditions import CLEAN, Condition
from experiments.evaluation.encoded import Encoded
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import LEVELS, WHOLE, View
from experiments.probes import FittedProbe
from experiments.results import Row
from vjepa.corruptions import CORRUPTIONS, Profile
from vjepa.metrics import surprise_rate, temporal_gradient_drift
from vjepa.metrics.neighbours import NUM_NEIGHBOURS
from vjepa.metrics.ratios import ORDER

GRADIENT = "gradient_drift"


class RepresentationStability(Analysis):
    """Clean features against corrupted ones, for the whole representation.

    Conditions of order probes are compared too, and enter no mean. Parts of the representation are the matter of
    ``SubspaceRobustness``.

    Args:
        profile: by name.
        views: names of the views to compare, where a subject has them.
        num_neighbours: of the overlap of neighbours and of the kNN vote.
        surprise: ask the predictor too; that costs more than everything else here.
        options: of the evaluation, part of the protocol hash.

    Raises:
        UserError: the profile is unknown.
    """

    name = "representation_stability"
    needs_mean = True

    def __init__(
        self,
        profile: str | Profile,
        *,
        views: Sequence[str] = (WHOLE, LEVELS),
        num_neighbours: int = NUM_NEIGHBOURS,
        surprise: bool = True,
        options: Options | None = None,
    ) -> None:
        self.profile = chosen_profile(profile)
        self.needs_surprise = surprise
        self.views = tuple(views)
        self.num_neighbours = num_neighbours
        self.options = options

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.profile.conditions

    @property
    def identity(self) -> object:
        asked = [] if self.needs_surprise else ["no surprise"]
        return [self.name, self.profile.hash, self.views, self.num_neighbours, dict(self.options or {}), *asked]

    def collect(
        self, subject: Subject, probes: Sequence[FittedProbe], clean: Encoded, condition: Condition, seen: Encoded
    ) -> dict[str, Tensor]:
        return gradient_drifts(self._views(subject), clean, condition, seen)

    def report(self, subject: Subject, probes: Sequence[FittedProbe], found: Found) -> Report:
        report = Report()
        for view in self._views(subject):
            read = of_view(subject, found, view)
            report += subspace_stability(
                subject, found, view.name, read, self.profile, self.conditions, self.num_neighbours, self.options
            )
            report += gradient_report(subject, found, view, self.name, self.profile, self.options)
        return report + self._surprise(subject, found) if self.needs_surprise else report

    def _views(self, subject: Subject) -> list[View]:
        return [view for view in subject.views if view.name in self.views]

    def _surprise(self, subject: Subject, found: Found) -> Report:
        """Error of the predictor, and the share of clips on which corruption raises it."""
        clean = found.surprise(CLEAN)
        if clean is None:
            return Report()
        rows = label_free_rows(subject, found, WHOLE, "surprise", self.options)
        made = [rows.row("predictor_surprise", clean.double().mean().item())]
        values: dict[str, dict[Condition, float]] = {"predictor_surprise": {}, "surprise_rate": {}}
        clips = []
        for condition in self.conditions:
            seen = found.surprise(condition)
            assert seen is not None
            values["predictor_surprise"][condition] = seen.double().mean().item()
            values["surprise_rate"][condition] = surprise_rate(clean, seen).item()
            clips.append(clip_values(subject, found, WHOLE, "predictor_surprise", condition, seen))
        for metric, by_condition in values.items():
            made += [rows.row(metric, value, key, self.profile.hash) for key, value in by_condition.items()]
            made += rows.summary(averages(metric, by_condition, self.profile), self.profile)
        return Report(tuple(made), clips=tuple(clips))


def gradient_drifts(views: Sequence[View], clean: Encoded, condition: Condition, seen: Encoded) -> dict[str, Tensor]:
    """Drift of the steps of each view through time, (B,) by name; nothing where the order of frames is not kept."""
    if condition == CLEAN or CORRUPTIONS[condition[0]].group == ORDER or clean.time.shape[1] < 2:
        return {}
    return {
        f"{GRADIENT}.{view.name}": temporal_gradient_drift(view.select(clean.time), view.select(seen.time)).float()
        for view in views
    }


def gradient_report(
    subject: Subject, found: Found, view: View, analysis: str, profile: Profile, options: Options | None
) -> Report:
    """``temporal_gradient_drift`` of what ``gradient_drifts`` has collected under the name of an analysis.

    Clips whose clean feature never moves say nothing and are left out: n counts the others.
    """
    rows = label_free_rows(subject, found, view.name, GRADIENT, options)
    made: list[Row] = []
    clips = []
    values: dict[Condition, float] = {}
    for condition in profile.label_preserving:
        drift = found.extra(analysis, condition).get(f"{GRADIENT}.{view.name}")
        if drift is None:
            return Report()
        moving = int((~drift.isnan()).sum())
        values[condition] = drift.double().nanmean().item()
        made.append(rows.row("temporal_gradient_drift", values[condition], condition, profile.hash, n=moving))
        clips.append(clip_values(subject, found, view.name, "temporal_gradient_drift", condition, drift))
    made += rows.summary(averages("temporal_gradient_drift", values, profile), profile)
    return Report(tuple(made), clips=tuple(clips))
