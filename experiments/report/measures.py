"""Result rows of an ablation by what they measure: one mapping from seeds to values for each encoder and measure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from experiments.report.findings import PIXELS, RANDOM_INIT
from experiments.results import is_random_init
from experiments.statistics import VariantKey
from vjepa.errors import UserError

if TYPE_CHECKING:
    from experiments.results import Row

NO_PROBE = "none"


class Measure(NamedTuple):
    """What a row measures, of whichever encoder."""

    benchmark: str
    metric: str
    probe: str = NO_PROBE
    subspace: str = "whole"
    corruption: str = "none"
    severity: int = 0


@dataclass(frozen=True)
class Measures:
    """Values by encoder, measure and seed.

    Args:
        values: finite ones only.
        num_clips: fewest clips behind the values of a measure.
    """

    values: Mapping[VariantKey, Mapping[Measure, Mapping[int, float]]]
    num_clips: Mapping[Measure, int]

    def per_seed(self, key: VariantKey, measure: Measure) -> Mapping[int, float]:
        """Seed -> value; empty where nothing was measured."""
        return self.values.get(key, {}).get(measure, {})

    def mean(self, key: VariantKey, measure: Measure) -> float | None:
        """Mean over seeds."""
        found = self.per_seed(key, measure)
        return fmean(found.values()) if found else None

    def having(self, condition: Callable[[Measure], bool]) -> list[Measure]:
        """Measures of any encoder, in the order in which they were met."""
        return list(dict.fromkeys(m for found in self.values.values() for m in found if condition(m)))

    @property
    def keys(self) -> tuple[VariantKey, ...]:
        """All encoders."""
        return tuple(self.values)


def key_of(row: Row) -> VariantKey:
    """Whom a row is about; a control is the same whichever run happened to measure it."""
    if row.weights == "pixels":
        return PIXELS
    return RANDOM_INIT if is_random_init(row) else VariantKey(row.variant, row.reading)


def collect_measures(rows: Iterable[Row], split: str = "test") -> Measures:
    """Index the rows of one split; where a run was evaluated at several steps, its last one counts.

    Raises:
        UserError: a number was measured twice with different results.
    """
    found: dict[VariantKey, dict[Measure, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    steps: dict[tuple[VariantKey, int], int] = {}
    clips: dict[Measure, int] = {}
    for row in rows:
        key = key_of(row)
        if row.split != split or not isfinite(row.value) or row.step < steps.get((key, row.seed), row.step):
            continue
        if row.step > steps.get((key, row.seed), row.step):
            for by_seed in found[key].values():
                by_seed.pop(row.seed, None)
        steps[key, row.seed] = row.step
        measure = Measure(row.benchmark, row.metric, row.probe, row.subspace, row.corruption, row.severity)
        earlier = found[key][measure].setdefault(row.seed, row.value)
        if earlier != row.value:
            raise UserError(
                f"report: {row.variant} {row.reading} ({row.weights}), seed {row.seed}, {row.benchmark}, {row.probe}, "
                f"{row.metric} of {row.subspace} under {row.corruption} {row.severity} was measured twice: "
                f"{earlier:.4f} and {row.value:.4f}; keep one of the two runs"
            )
        clips[measure] = min(row.n, clips.get(measure, row.n))
    return Measures({key: {m: dict(v) for m, v in of.items() if v} for key, of in found.items()}, clips)
