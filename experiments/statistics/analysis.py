"""From the folders of finished evaluations to everything that may be said about them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.statistics.accuracy import accuracies, data_of, mean_performances
from experiments.statistics.comparisons import CORRECTED, summarise, tabulate, versus_baseline, versus_control
from experiments.statistics.factorization import factorization_contrast
from experiments.statistics.measured import CONTROLS, collect_samples, spoken
from experiments.statistics.reading import read_evaluations
from experiments.statistics.selectivity import selectivities
from experiments.statistics.types import BASELINE, Analysis, Comparison, Samples, VariantKey
from vjepa.corruptions import profile as named_profile
from vjepa.errors import UserError


def analyse(evaluations: Sequence[Path], *, primary_probe: str = "linear_time", profile: str = "core") -> Analysis:
    """Compare all variants that were evaluated, as docs/statistics.md lays down.

    Args:
        evaluations: folders ``evaluation/<benchmark>`` of finished runs, several seeds and data sets at once.
        primary_probe: protocol of the primary endpoint mPC and of the accuracy family.
        profile: corruption profile of mPC and SSI.

    Raises:
        UserError: no evaluation, one that is not finished, results of mixed protocols, a run evaluated in two ways,
            clips that differ between runs, or an unknown profile.
    """
    if not evaluations:
        raise UserError("no evaluations to compare: expected folders evaluation/<benchmark> of finished runs")
    chosen = named_profile(profile)
    evaluated = read_evaluations(list(dict.fromkeys(evaluations)), chosen)
    measured = [
        *mean_performances(evaluated, chosen, primary_probe),
        *selectivities(evaluated, chosen),
        *accuracies(evaluated, primary_probe),
    ]
    order = (*CORRECTED, "descriptive")
    samples = sorted(_usable(collect_samples(measured)), key=lambda one: order.index(one.endpoint.family))
    table = tabulate(samples)
    against_baseline, against_control = versus_baseline(table), versus_control(table)
    contrast, pairs = factorization_contrast(table)
    notes = [
        *_seed_notes(samples),
        *_missing_notes(samples, primary_probe, profile),
        *_family_notes(against_baseline),
        *pairs,
    ]
    return Analysis(
        tuple(table),
        tuple(samples),
        tuple(map(summarise, samples)),
        against_baseline,
        against_control,
        contrast,
        tuple(notes),
    )


def _usable(samples: Sequence[Samples]) -> list[Samples]:
    """Those of endpoints that a trained variant has, of two clips or more: one clip has no spread."""
    trained = {one.endpoint for one in samples if one.key not in CONTROLS}
    return [one for one in samples if one.endpoint in trained and len(one.clips) > 1]


def _seed_notes(samples: Sequence[Samples]) -> list[str]:
    """Which seeds and baselines are missing."""
    seeds: dict[VariantKey, set[int]] = {}
    for one in samples:
        seeds.setdefault(one.key, set()).update(one.seeds)
    trained = [key for key in seeds if key not in CONTROLS]
    every = set().union(*(seeds[key] for key in trained))
    notes = []
    for key in trained:
        if every - seeds[key]:
            lacking = ", ".join(map(str, sorted(every - seeds[key])))
            notes.append(f"{spoken(key)}: no seed {lacking}; it is compared over the seeds in common")
    for reading in dict.fromkeys(key.reading for key in trained):
        if VariantKey(BASELINE, reading) not in seeds:
            notes.append(f"{reading}: no baseline, so its variants are compared with nothing but their random init")
    if CONTROLS[0] not in seeds:
        notes.append("no random init was evaluated, so no variant is compared with its own")
    if len(every) == 1:
        notes.append("one seed: no interval, no p-value; nothing is claimed about training")
    return notes


def _missing_notes(samples: Sequence[Samples], primary_probe: str, profile: str) -> list[str]:
    """Runs that have accuracies on a data set and lack one of its primary endpoints."""
    notes = []
    runs: dict[str, dict[VariantKey, set[int]]] = {}
    for one in samples:
        runs.setdefault(data_of(one.endpoint.benchmark), {}).setdefault(one.key, set()).update(one.seeds)
    for data, by_key in runs.items():
        for name in ("mPC", "SSI"):
            primary = [one for one in samples if one.endpoint.family == "primary" and one.endpoint.name == name]
            having: dict[VariantKey, set[int]] = {}
            for one in primary:
                if one.endpoint.benchmark == data:
                    having.setdefault(one.key, set()).update(one.seeds)
            lacking = [
                f"{spoken(key)} seed {seed}"
                for key, seeds in by_key.items()
                if not (name == "SSI" and key == CONTROLS[1])  # pixels have no halves
                for seed in sorted(seeds - having.get(key, set()))
            ]
            if lacking and not having:
                need = f"the probe {primary_probe} under" if name == "mPC" else "drifts of both halves under"
                notes.append(f"{data}: no {name}, it needs {need} the profile {profile}")
            elif lacking:
                notes.append(f"{data}: no {name} of {', '.join(lacking)}")
    return notes


def _family_notes(comparisons: Sequence[Comparison]) -> list[str]:
    notes = []
    for family in CORRECTED:
        tested = [one for one in comparisons if one.endpoint.family == family and one.p_holm is not None]
        if tested:
            names = ", ".join(dict.fromkeys(f"{one.endpoint.name} on {one.endpoint.benchmark}" for one in tested))
            notes.append(f"{family} endpoints: Holm over {len(tested)} comparisons with the baseline ({names})")
    if any(one.endpoint.family == "descriptive" for one in comparisons):
        notes.append("other probes, and mPC of single tasks: described only, their intervals are not corrected")
    return notes
