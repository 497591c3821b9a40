"""Result rows of one probe or one subspace on one benchmark: all that they share is filled in once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from data_modules.clips.datasets import ClipDataset
from experiments.evaluation.analyses.base import Found
from experiments.evaluation.conditions import CLEAN, Condition
from experiments.evaluation.subjects import Subject
from experiments.probes import FittedProbe
from experiments.results import Row, RowStamp
from vjepa.corruptions import CORRUPTIONS, Profile
from vjepa.corruptions import profile as named_profile
from vjepa.metrics import group_performance
from vjepa.storage import digest_json

NO_PROBE = "none"
"""Probe of rows that need none."""

Options = Mapping[str, Any]
"""Options of an evaluation that its numbers depend on, as plain data."""


def benchmark_names(name: str, tasks: Sequence[str]) -> tuple[str, ...]:
    """Name the benchmark of each task: ``<name>/<task>``, or ``name`` where there is only one."""
    return (name,) if len(tasks) == 1 else tuple(f"{name}/{task}" for task in tasks)


def benchmark_of(found: Found, column: int) -> str:
    """Name of the benchmark that a column of the labels belongs to."""
    return benchmark_names(found.data_name, [task.name for task in found.dataset.tasks])[column]


def num_labelled(dataset: ClipDataset, indices: Tensor, column: int) -> int:
    """Return to how many of the clips a task applies."""
    return int((dataset.labels[indices, column] >= 0).sum())


@dataclass(frozen=True)
class RowMaker:
    """Makes the rows of one probe, or of one subspace without a probe.

    Args:
        stamp: the encoder.
        benchmark, split, probe, subspace: as in ``Row``.
        n: clips behind a value.
        excluded: clips that belong there and whose files are broken.
        protocol: hash of the probe's protocol, or whatever else says how values are made.
        options: of the evaluation; part of the hash where there are any.
    """

    stamp: RowStamp
    benchmark: str
    split: str
    probe: str
    subspace: str
    n: int
    excluded: int
    protocol: str
    options: Options | None = None

    def row(
        self, metric: str, value: float, condition: Condition = CLEAN, under: str = "", *, n: int | None = None
    ) -> Row:
        """Make one row.

        Args:
            metric, value: as in ``Row``.
            condition: under which clips were shown, or a profile's name and 0 for a summary.
            under: hash of the profile that the condition belongs to; empty for clean clips.
            n: clips behind this value, where they are others.
        """
        parts = [self.protocol, *([under] if under else []), *([dict(self.options)] if self.options else [])]
        return Row(
            **vars(self.stamp),
            benchmark=self.benchmark,
            split=self.split,
            probe=self.probe,
            subspace=self.subspace,
            corruption=condition[0],
            severity=condition[1],
            metric=metric,
            value=value,
            n=self.n if n is None else n,
            protocol_hash=self.protocol if len(parts) == 1 else digest_json(parts),
            excluded=self.excluded,
        )

    def rows(self, values: Mapping[str, float], condition: Condition = CLEAN, under: str = "") -> list[Row]:
        """Make a row of each value, by metric."""
        return [self.row(metric, value, condition, under) for metric, value in values.items()]

    def summary(self, values: Mapping[str, float], profile: Profile) -> list[Row]:
        """Make rows over a whole profile: its name stands as the corruption, with severity 0."""
        return self.rows(values, (profile.name, 0), profile.hash)


def probe_rows(subject: Subject, fitted: FittedProbe, found: Found, options: Options | None = None) -> RowMaker:
    """Rows of a fitted probe; n counts the clips to which its task applies, whatever the number of their views."""
    return RowMaker(
        stamp=subject.stamp,
        benchmark=benchmark_of(found, fitted.column),
        split=found.dataset.split,
        probe=fitted.protocol.name,
        subspace=fitted.view,
        n=int((found.labels[:, fitted.column] >= 0).sum()),
        excluded=num_labelled(found.dataset, found.excluded, fitted.column),
        protocol=fitted.protocol.hash,
        options={**(options or {}), **found.views.options},
    )


def label_free_rows(
    subject: Subject, found: Found, subspace: str, how: Any, options: Options | None = None
) -> RowMaker:
    """Rows of a subspace without a probe: the benchmark is the data set, and every clip counts.

    Args:
        subject, found, subspace, options: as in ``RowMaker``.
        how: settings of the metrics as plain data; their digest stands in place of a probe's protocol.
    """
    return RowMaker(
        stamp=subject.stamp,
        benchmark=found.data_name,
        split=found.dataset.split,
        probe=NO_PROBE,
        subspace=subspace,
        n=len(found.index),
        excluded=len(found.excluded),
        protocol=digest_json([NO_PROBE, how]),
        options=options,
    )


def averages(metric: str, values: Mapping[Condition, float], profile: Profile) -> dict[str, float]:
    """Mean over the corruptions of a profile and of each group, order probes left out.

    Severities of a corruption are averaged first, as in mPC. The profile is part of the name because the mean over a
    short profile is not that over the whole protocol.

    Args:
        metric: name of what is averaged.
        values: by condition; conditions of order probes are passed over.
        profile: what was run.

    Returns:
        ``<metric>_<profile>`` and ``<metric>_<group>_<profile>``; nothing when there are only order probes.
    """
    groups = {name: CORRUPTIONS[name].group for name, _ in values}
    return {
        f"{metric}_{profile.name}" if group == "all" else f"{metric}_{group}_{profile.name}": value
        for group, value in group_performance(values, groups).items()
    }


def chosen_profile(profile: str | Profile) -> Profile:
    """Look a profile up by its name, with the warnings that belong to it.

    Raises:
        UserError: the name is unknown; the nearest one is suggested.
    """
    return named_profile(profile) if isinstance(profile, str) else profile
