"""Whether z_app follows spatial and z_dyn temporal corruption, and more than arbitrary halves would.

Every division is asked for factorized and other models alike: the same split of a model that was not factorized is the
control. ``by_level``, the split as released, divides by network depth; ``within_level`` divides each level.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from threading import Event
from typing import Any, cast

import numpy as np
from torch import Tensor

from experiments.evaluation.analyses.answers import answers_of
from experiments.evaluation.analyses.base import Analysis, Found, Report
from experiments.evaluation.analyses.dissociation import dissociation_of
from experiments.evaluation.analyses.divisions import APP, DYN, Division, channels_of, divisions_of
from experiments.evaluation.analyses.mean_features import FeatureReader, of_principal_directions, of_view, part_of
from experiments.evaluation.analyses.rows import Options, chosen_profile, label_free_rows
from experiments.evaluation.analyses.stability import gradient_drifts, gradient_report
from experiments.evaluation.analyses.subspace_stability import subspace_stability
from experiments.evaluation.analyses.swap import swap_report, swapped_logits
from experiments.evaluation.conditions import CLEAN, Condition
from experiments.evaluation.encoded import Encoded
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import LEVELS, View, named
from experiments.probes import FittedProbe
from experiments.results import Row
from experiments.side_by_side import side_by_side
from vjepa.corruptions import CORRUPTIONS, Profile
from vjepa.metrics import SelectivityTest, leading_channels
from vjepa.metrics.neighbours import NUM_NEIGHBOURS
from vjepa.metrics.selectivity import GROUPS, SUBSPACES, SelectivityGroup
from vjepa.metrics.subspace_drift import Normalisation

PCA = "pca"
"""The division into the directions of largest variance and the others."""


class SubspaceRobustness(Analysis):
    """Stability, selectivity, dissociation and repair of the halves of every division that a subject has.

    Only label-preserving conditions are shown. A subject without divisions, such as raw pixels, gets no rows.

    Args:
        profile: by name.
        num_splits: random divisions of equal width behind the p-value.
        seed: of these divisions.
        normalisation: of the drift in the index: ``centred``, ``standardised`` or ``whitened``.
        num_neighbours: as in ``RepresentationStability``.
        options: of the evaluation, part of the protocol hash.

    Raises:
        UserError: the profile is unknown.
    """

    name = "subspace_robustness"
    needs_mean = True

    def __init__(
        self,
        profile: str | Profile,
        num_splits: int = 100,
        *,
        seed: int = 0,
        normalisation: Normalisation = "centred",
        num_neighbours: int = NUM_NEIGHBOURS,
        options: Options | None = None,
    ) -> None:
        self.profile = chosen_profile(profile)
        self.num_splits = num_splits
        self.seed = seed
        self.normalisation = normalisation
        self.num_neighbours = num_neighbours
        self.options = options

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.profile.label_preserving

    @property
    def identity(self) -> object:
        return [self.name, self.profile.hash, self._how, self.num_neighbours, dict(self.options or {})]

    @property
    def _how(self) -> list[Any]:
        return [self.normalisation, self.num_splits, self.seed]

    def collect(
        self, subject: Subject, probes: Sequence[FittedProbe], clean: Encoded, condition: Condition, seen: Encoded
    ) -> dict[str, Tensor]:
        if condition == CLEAN:
            return {}
        divisions = divisions_of(subject.views)
        halves = [half for division in divisions for half in division.halves]
        return gradient_drifts(halves, clean, condition, seen) | swapped_logits(subject, divisions, probes, clean, seen)

    def report(self, subject: Subject, probes: Sequence[FittedProbe], found: Found) -> Report:
        divisions = divisions_of(subject.views)
        if not divisions:
            return Report()

        def of_division(division: Division | None, left: Event) -> Report:
            if division is None:
                return self._principal(subject, found, divisions[0])
            return self._of_division(subject, found, division)

        made = side_by_side([partial(of_division, division) for division in (*divisions, None)])
        report = sum(made, Report())
        answers = answers_of(subject, probes, found, self.options)
        report += Report(tuple(dissociation_of(answers, divisions, self.profile)))
        return report + swap_report(answers, divisions, self.name, self.profile)

    def _of_division(self, subject: Subject, found: Found, division: Division) -> Report:
        report = Report()
        for half in division.halves:
            report += self._stability(subject, found, half.name, of_view(subject, found, half))
            report += gradient_report(subject, found, half, self.name, self.profile, self.options)
        return report if division.is_random else report + self._selectivity(subject, found, division)

    def _stability(self, subject: Subject, found: Found, name: str, read: FeatureReader) -> Report:
        k, options = self.num_neighbours, self.options
        return subspace_stability(subject, found, name, read, self.profile, self.conditions, k, options)

    def _selectivity(self, subject: Subject, found: Found, division: Division) -> Report:
        levels = of_view(subject, found, named(subject.views, LEVELS))
        app = channels_of(division.app, levels(CLEAN).shape[1])
        return self._index(subject, found, division.name, levels, app)

    def _principal(self, subject: Subject, found: Found, division: Division) -> Report:
        """The control that divides by variance, as wide as a designed division."""
        rotated = of_principal_directions(subject, found)
        width = rotated(CLEAN).shape[1]
        app = leading_channels(width, int(channels_of(division.app, width).sum()))
        report = self._index(subject, found, PCA, rotated, app)
        for suffix, channels in ((APP, app), (DYN, ~app)):
            half = View(PCA + suffix, channels.nonzero()[:, 0])
            report += self._stability(subject, found, half.name, part_of(rotated, half))
        return report

    def _index(self, subject: Subject, found: Found, name: str, read: FeatureReader, app: Tensor) -> Report:
        """Selectivity of a division, with its random controls; nothing where a profile lacks one of the two groups."""
        groups = {key: CORRUPTIONS[key[0]].group for key in self.conditions}
        if not set(GROUPS) <= set(groups.values()):
            return Report()
        test = SelectivityTest(read(CLEAN), app, self.num_splits, self.seed, self.normalisation)
        for condition, group in groups.items():
            if group in GROUPS:
                test.add(condition[0], cast(SelectivityGroup, group), read(condition))
        result = test.result()
        profile, kind = self.profile.name, "" if self.normalisation == "centred" else f"{self.normalisation}_"
        null = np.asarray(result.null)
        rows = label_free_rows(subject, found, name, self._how, self.options)
        made: list[Row] = rows.summary(
            {
                f"ssi_{kind}{profile}": result.index,
                f"ssi_{kind}p_{profile}": result.p_value,
                f"ssi_{kind}null_mean_{profile}": float(null.mean()),
                f"ssi_{kind}null_p95_{profile}": float(np.quantile(null, 0.95)),
            },
            self.profile,
        )
        for subspace in SUBSPACES:
            half = label_free_rows(subject, found, f"{name}.{subspace}", self._how, self.options)
            for group in GROUPS:
                metric, cell = f"drift_{self.normalisation}_{group}", (subspace, group)
                drift = {f"{metric}_{profile}": result.drift[cell]}
                # How far halves of this width drift at all.
                drift[f"{metric}_null_low_{profile}"] = min(result.null_drift[cell])
                drift[f"{metric}_null_high_{profile}"] = max(result.null_drift[cell])
                made += half.summary(drift, self.profile)
        return Report(tuple(made))
