"""Everything that the report of an ablation says, read and computed; what is below only arranges and draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from experiments.statistics import Analysis, VariantKey

if TYPE_CHECKING:
    from experiments.report.measures import Measures
    from experiments.report.scalars import Scalars
    from experiments.report.scores import Scores

RANDOM_INIT = VariantKey("random_init", "none")
PIXELS = VariantKey("pixels", "none")
CONTROLS = (PIXELS, RANDOM_INIT)
TITLES = {PIXELS: "pixels", RANDOM_INIT: "random init"}


@dataclass(frozen=True)
class Candidate:
    """A trained variant in one reading.

    Args:
        key: its name.
        number: of its variant, the same in both readings: 1, 2, ... in the order of the plan, baseline first. It names
            the variant in pictures and in tables.
        layout: of the latent.
        weights: those that are evaluated: ``teacher``, ``online`` or ``init``.
        seeds: those with a finished cell, ascending.
        num_settings: settings of this variant and reading that were tried, its own among them.
    """

    key: VariantKey
    number: int
    layout: str
    weights: str
    seeds: tuple[int, ...]
    num_settings: int = 1

    @property
    def title(self) -> str:
        """Its variant as a reader sees it, without the reading."""
        return self.key.variant.replace("@", " ")

    @property
    def is_baseline(self) -> bool:
        """Whether the others of its reading are compared with it."""
        return self.key.variant == "baseline"

    @property
    def is_factorized(self) -> bool:
        """Whether its latent is divided into z_app and z_dyn."""
        return self.layout != "whole"

    @property
    def ignores_training(self) -> bool:
        """Whether its initial weights are evaluated, whatever it trained."""
        return self.weights == "init"


class Level(NamedTuple):
    """A number with its interval; low and high are NaN where one seed allows none."""

    mean: float
    low: float
    high: float


class Retained(NamedTuple):
    """Chance-corrected accuracy that is left under a corruption, ``(A - m) / (A_clean - m)``.

    ``told_apart``: whether the interval of the paired difference to the baseline excludes zero; None where there is
    none, as with one seed.
    """

    value: float
    told_apart: bool | None


@dataclass(frozen=True)
class Robustness:
    """What corruption does, by the primary probe.

    Args:
        retained: by (candidate or control, task, corruption); the mean over corruptions stands under ``mean``. Only
            where clean accuracy is 3 standard errors above the majority rate.
        accuracy: over all tasks of a data set, by (key, data set, corruption, severity), clean ones at severity 0 of
            every corruption.
        drift: mean centred cosine drift of the whole representation, likewise; at severity 0 it is 0.
    """

    retained: Mapping[tuple[VariantKey, str, str], Retained]
    accuracy: Mapping[tuple[VariantKey, str, str, int], Level]
    drift: Mapping[tuple[VariantKey, str, str, int], Level]


@dataclass(frozen=True)
class Cost:
    """What a candidate costs, as means over its seeds; None where it is not known.

    Args:
        fit_seconds, evaluation_seconds: wall clock.
        parameters: trained ones.
        steps: optimizer steps.
        step_ratio: seconds of a step over those of the baseline of the same reading.
        peak_bytes: most memory of a process.
    """

    fit_seconds: float | None = None
    evaluation_seconds: float | None = None
    parameters: int | None = None
    steps: int | None = None
    step_ratio: float | None = None
    peak_bytes: float | None = None


@dataclass(frozen=True)
class Findings:
    """Everything that a report says.

    Args:
        title: heading.
        candidates: by reading, then in the order of their numbers.
        scores: clean accuracy by every probe.
        measures: the other result rows.
        analysis: statistics.
        robustness: accuracy and drift under corruption.
        curves: quantity -> one series a seed, by candidate.
        costs: by candidate.
        missing: label of a planned cell that is not finished -> why.
        profile: of corruptions; empty where nothing was corrupted.
        primary_probe: protocol that the primary endpoints are read with.
        provenance: item -> value, as text.
        config_hashes: label of a cell -> hash of its configuration.
        command: shell command that repeats everything.
        board_command: shell command that opens the dashboards.
        caveats: what the numbers do not show, one sentence each.
    """

    title: str
    candidates: tuple[Candidate, ...]
    scores: Scores
    measures: Measures
    analysis: Analysis
    robustness: Robustness
    curves: Mapping[VariantKey, Mapping[str, Sequence[Scalars]]]
    costs: Mapping[VariantKey, Cost]
    missing: Mapping[str, str]
    profile: str
    primary_probe: str
    provenance: Mapping[str, str]
    config_hashes: Mapping[str, str]
    command: str
    board_command: str
    caveats: tuple[str, ...] = ()

    @cached_property
    def readings(self) -> tuple[str, ...]:
        """Those of the candidates, in their order."""
        return tuple(dict.fromkeys(candidate.key.reading for candidate in self.candidates))

    @cached_property
    def variants(self) -> tuple[str, ...]:
        """Those of the candidates, in their order."""
        return tuple(dict.fromkeys(candidate.key.variant for candidate in self.candidates))

    @cached_property
    def by_key(self) -> Mapping[VariantKey, Candidate]:
        """Candidates by name."""
        return {candidate.key: candidate for candidate in self.candidates}

    @property
    def has_intervals(self) -> bool:
        """Whether any candidate has two seeds or more."""
        return any(len(candidate.seeds) > 1 for candidate in self.candidates)

    def of_reading(self, reading: str) -> tuple[Candidate, ...]:
        """Candidates of one reading."""
        return tuple(candidate for candidate in self.candidates if candidate.key.reading == reading)

    def title_of(self, key: VariantKey) -> str:
        """The shortest name that no other encoder of the report carries."""
        if key in TITLES:
            return TITLES[key]
        name = key.variant.replace("@", " ")
        return f"{name}, {key.reading.replace('_', ' ')}" if len(self.readings) > 1 else name


@dataclass(frozen=True)
class ReportPaths:
    """A finished report: its files, and its first lines for a terminal."""

    markdown: Path
    html: Path
    plots: tuple[Path, ...]
    text: str = ""
