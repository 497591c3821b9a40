"""Which variants are compared, and the families in which their p-values are corrected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from experiments.statistics.differences import paired_difference
from experiments.statistics.holm import LEVEL, holm
from experiments.statistics.measured import CONTROLS
from experiments.statistics.power import minimal_difference
from experiments.statistics.types import BASELINE, Comparison, Difference, Endpoint, Samples, Summary, VariantKey

Table = Mapping[Endpoint, Mapping[VariantKey, Samples]]
CORRECTED = ("primary", "accuracy")
"""Families of hypotheses; what is in neither is only described."""


def tabulate(samples: Iterable[Samples]) -> Table:
    """Samples by endpoint and variant."""
    table: dict[Endpoint, dict[VariantKey, Samples]] = {}
    for one in samples:
        table.setdefault(one.endpoint, {})[one.key] = one
    return table


def summarise(samples: Samples) -> Summary:
    """One variant by itself: its interval is wider than that of a paired difference."""
    found = paired_difference(samples.values, np.zeros_like(samples.values), unit=samples.endpoint.unit)
    return Summary(
        samples.key,
        samples.endpoint,
        found.mean,
        found.low,
        found.high,
        found.seed_sd,
        found.per_seed,
        found.num_seeds,
        found.num_clips,
        samples.seeds,
    )


def versus_baseline(table: Table) -> tuple[Comparison, ...]:
    """Every variant minus the baseline of its reading, settings of a sweep included."""
    pairs = []
    for by_key in table.values():
        for key, one in by_key.items():
            control = by_key.get(VariantKey(BASELINE, key.reading))
            if key not in CONTROLS and control is not None and control is not one:
                pairs.append((one, control))
    return correct(_compared(pairs))


def versus_control(table: Table) -> tuple[Comparison, ...]:
    """Every trained variant minus its random initialisation."""
    pairs = []
    for by_key in table.values():
        control = by_key.get(CONTROLS[0])
        if control is not None:
            pairs += [(one, control) for key, one in by_key.items() if key not in CONTROLS]
    return correct(_compared(pairs))


def difference(treatment: Samples, control: Samples) -> Difference | None:
    """Over the seeds that both have; None if there is none."""
    seeds = sorted({*treatment.seeds} & {*control.seeds})
    if not seeds:
        return None
    a, b = (of_seeds(one, seeds) for one in (treatment, control))
    return paired_difference(a, b, unit=treatment.endpoint.unit)


def of_seeds(samples: Samples, seeds: Sequence[int]) -> np.ndarray:
    """Values of some of the seeds, (len(seeds), C)."""
    return samples.values[[samples.seeds.index(seed) for seed in seeds]]


def described(treatment: Samples, control: Samples) -> Comparison | None:
    """A comparison that belongs to no family yet; None without a seed in common."""
    found = difference(treatment, control)
    if found is None:
        return None
    return Comparison(treatment.key, control.key, treatment.endpoint, found, None, False)


def _compared(pairs: Iterable[tuple[Samples, Samples]]) -> list[Comparison]:
    return [found for a, b in pairs if (found := described(a, b)) is not None]


def correct(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Give the p-values of each family their Holm correction; those of one seed belong to none, having no p-value."""
    found = list(comparisons)
    for family in CORRECTED:
        places = [
            place
            for place, one in enumerate(found)
            if one.endpoint.family == family and one.difference.p_value is not None
        ]
        p_values = [found[place].difference.p_value for place in places]
        for place, p in zip(places, holm(np.array(p_values, dtype=np.float64)).tolist(), strict=True):
            one = found[place]
            least = _first_step(one.difference, len(places))
            found[place] = replace(
                one, difference=replace(one.difference, mdd_holm=least), p_holm=p, significant=p < LEVEL
            )
    return tuple(found)


def _first_step(found: Difference, num_tests: int) -> float | None:
    """The minimal detectable difference where the smallest of so many p-values must pass."""
    if found.mdd is None:
        return None
    df = found.num_seeds - 1
    return found.mdd / minimal_difference(1, df, 1 - found.confidence) * minimal_difference(1, df, LEVEL / num_tests)
