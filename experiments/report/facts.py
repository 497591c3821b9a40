"""What a report is given beside the result rows: provenance, differences and training curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.statistics import Difference


@dataclass(frozen=True)
class ReportFacts:
    """Everything a reader needs to judge and to repeat the numbers.

    Args:
        title: heading of the report.
        question: what the report answers, one sentence.
        command: shell command that reproduces the numbers.
        data: name of the data set.
        num_seeds: pretraining seeds, >= 1.
        num_train, num_val, num_test: clips in each split.
        protocol_hashes: name of a probe or protocol -> hash.
        config_hashes: name of a run -> hash of its resolved configuration.
        git_revision: revision of the code.
        versions: package -> version.
        machine: the hardware, in words.
        date: when the numbers were made, as text.
        caveats: what the numbers do not show, one sentence each.
        tensorboard_command: shell command that opens the dashboards.
    """

    title: str
    question: str
    command: str
    data: str
    num_seeds: int
    num_train: int
    num_val: int
    num_test: int
    protocol_hashes: Mapping[str, str]
    config_hashes: Mapping[str, str]
    git_revision: str
    versions: Mapping[str, str]
    machine: str
    date: str
    caveats: tuple[str, ...]
    tensorboard_command: str


@dataclass(frozen=True)
class Comparison:
    """A difference and what was compared: ``treatment`` minus ``control``.

    Args:
        treatment, control: names of the two encoders, as the reader should see them.
        benchmark, probe: the task and probe on which both were measured.
        difference: the paired difference of accuracies, in fractions.
    """

    treatment: str
    control: str
    benchmark: str
    probe: str
    difference: Difference


@dataclass(frozen=True)
class Scalars:
    """One logged quantity: ascending optimizer steps and as many values."""

    steps: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class TrainingCurve:
    """The logged quantities of one run.

    Args:
        label: name of the variant; runs of several seeds share it and its colour.
        series: name of a quantity (a panel of the plot) -> its values.
    """

    label: str
    series: Mapping[str, Scalars]


@dataclass(frozen=True)
class ReportPaths:
    """The files of a finished report."""

    markdown: Path
    html: Path
    plots: tuple[Path, ...]
