"""The question of the study: does factorizing the latent help, whatever else is trained?

Variants that differ in nothing but the factorization are matched, and their differences are averaged.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from experiments.statistics.comparisons import Table, correct, described, of_seeds
from experiments.statistics.differences import paired_difference
from experiments.statistics.types import (
    BASELINE,
    FACTORIZED,
    WHOLE_LATENT,
    Comparison,
    Endpoint,
    Samples,
    VariantKey,
)

PAIRS = {"fwm": BASELINE, "fwm_ld": "ld", "fwm_hw_ld": "hw_ld", "fac": "ac"}
"""Factorized variant -> the same without factorization."""


def factorization_contrast(table: Table) -> tuple[tuple[Comparison, ...], tuple[str, ...]]:
    """The mean over matched pairs of every reading and endpoint, then the pairs themselves.

    The mean is tested, in families of its own; a pair is only described here, as one part of it.

    Returns:
        Comparisons and notes: which pairs and seeds are behind them.
    """
    pooled, single, notes = [], [], dict[str, None]()
    for endpoint, by_key in table.items():
        for reading in dict.fromkeys(key.reading for key in by_key):
            pairs = _matched(by_key, reading)
            if not pairs:
                continue
            mean, note = _pooled(endpoint, reading, pairs)
            pooled += [mean] if mean else []
            single += [found for a, b in pairs if (found := described(a, b)) is not None]
            if endpoint.family == "primary":
                notes[note] = None
    return (*correct(pooled), *single), tuple(notes)


def _matched(by_key: Mapping[VariantKey, Samples], reading: str) -> list[tuple[Samples, Samples]]:
    keys = [(VariantKey(a, reading), VariantKey(b, reading)) for a, b in PAIRS.items()]
    return [(by_key[a], by_key[b]) for a, b in keys if a in by_key and b in by_key]


def _pooled(endpoint: Endpoint, reading: str, pairs: list[tuple[Samples, Samples]]) -> tuple[Comparison | None, str]:
    """Over the seeds that all pairs have; a pair with fewer seeds than two is left out if another has more."""
    shared = [{*a.seeds} & {*b.seeds} for a, b in pairs]
    least = max(1, min(2, max(map(len, shared))))
    used = [(pair, seeds) for pair, seeds in zip(pairs, shared, strict=True) if len(seeds) >= least]
    seeds = sorted(set.intersection(*(seeds for _, seeds in used))) if used else []
    if not seeds:
        return None, f"factorization, {reading}: no mean over pairs of {endpoint.name}, they have no seed in common"
    sides = [np.mean([of_seeds(pair[side], seeds) for pair, _ in used], axis=0) for side in (0, 1)]
    found = paired_difference(sides[0], sides[1], unit=endpoint.unit)
    names = ", ".join(f"{a.key.variant} - {b.key.variant}" for (a, b), _ in used)
    note = f"factorization, {reading}: the mean over {names}; seeds {', '.join(map(str, seeds))}"
    keys = VariantKey(FACTORIZED, reading), VariantKey(WHOLE_LATENT, reading)
    return Comparison(*keys, endpoint, found, None, False), note
