"""Figures beside a claim that a reader needs in order to judge it; they do not enter the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scipy import stats

from experiments.claims.defects import DEFECTS
from experiments.claims.figures import (
    VARIANT_SEED,
    Figure,
    change,
    count_right,
    find,
    methods,
    ties,
    wilson,
)
from experiments.claims.temporal import COLOUR_CHANGE, FAMILIES, LATENT_CHANGE, NAMED_ONLY, contrasts
from experiments.claims.wording import count, interval, named, signed, title
from experiments.published import configs, random_init_results
from experiments.published import results as published_results
from experiments.report.wording import listed


def floor(variant: str, benchmarks: Sequence[str], regime: str = "ucf101") -> str:
    """A variant and its baseline beside the rows that, by defect 1, probe an untrained encoder."""
    parts = []
    for benchmark in benchmarks:
        own = find(variant, regime, benchmark, VARIANT_SEED)
        control = find("baseline", regime, benchmark, VARIANT_SEED)
        low, high = untrained(regime, benchmark)
        assert own is not None and control is not None
        parts.append(
            f"{title(benchmark)} {low:.2f} to {high:.2f} (baseline {control.accuracy_percent:.2f}, "
            f"`{variant}` {own.accuracy_percent:.2f})"
        )
    return f"Rows that, by defect 1, probe an encoder that was never trained: {'; '.join(parts)}."


def untrained(regime: str, benchmark: str) -> tuple[float, float]:
    """Lowest and highest published accuracy of encoders that, by defect 1, were never trained."""
    without_teacher = next(item for item in DEFECTS if item.number == 1)
    names = without_teacher.names(dict.fromkeys(item.objective for item in configs() if item.regime == regime))
    found = [item.accuracy_percent for name in names if (item := find(name, regime, benchmark, VARIANT_SEED))]
    return min(found), max(found)


def elsewhere(variant: str, regime: str, benchmarks: Sequence[str]) -> str:
    """The same variant in another regime."""
    parts = []
    for benchmark in benchmarks:
        item = change(variant, regime, benchmark)
        assert item is not None and item.same_seed is not None
        parts.append(
            f"{title(benchmark)} {signed(item.chosen.difference)}, against the same seed "
            f"{signed(item.same_seed.difference)}"
        )
    return f"In the {regime} regime `{variant}` changes {'; '.join(parts)}."


def same_count(variant: str, regime: str, benchmark: str) -> str:
    """Other encoders with exactly as many clips right."""
    own = find(variant, regime, benchmark, VARIANT_SEED)
    assert own is not None
    others = sorted({item.config for item in ties(own)})
    return (
        f"{title(benchmark)} {own.accuracy_percent:.2f} is {count_right(own)} of {own.test_clips:,} clips, as many as "
        f"{count(len(others), 'other encoder')} got right ({named(others)}). If that is the frequency of one class, "
        "such probes say the same of every clip; the predictions that would tell are not published."
    )


def clips_of(variants: Sequence[str], regime: str, benchmark: str) -> str:
    """The numbers of clips behind accuracies, with their intervals."""
    parts = []
    for name in variants:
        result = find(name, regime, benchmark, VARIANT_SEED)
        assert result is not None
        low, high = wilson(result)
        parts.append(f"`{name}` {count_right(result)} of {result.test_clips} [{low:.1f}, {high:.1f}] %")
    return f"{title(benchmark)[0].upper()}{title(benchmark)[1:]}, clips right with 95 % intervals: {'; '.join(parts)}."


def never_trained(variants: Sequence[str], regime: str, benchmark: str) -> str:
    """The direct test of defect 1: what the encoder scores as it was initialised."""
    found = [item for item in random_init_results() if item.benchmark == benchmark]
    scores = listed(f"{item.accuracy_percent:.1f}" for item in found)
    published = [find(name, regime, benchmark, VARIANT_SEED) for name in variants]
    rows = listed(f"{item.accuracy_percent:.1f}" for item in published if item)
    control = find("baseline", regime, benchmark, VARIANT_SEED)
    assert control is not None
    return (
        f"an encoder of the same size and seed that was never trained scores {scores} % by the same protocol (seeds of "
        f"the probe), these rows {rows} and the trained baseline {control.accuracy_percent:.1f}"
    )


def alike(regime: str, benchmarks: Sequence[str]) -> str:
    """How little the rows differ that, by defect 1, probe an encoder that was never trained."""
    parts = []
    for benchmark in benchmarks:
        low, high = untrained(regime, benchmark)
        parts.append(f"{high - low:.2f} points on {title(benchmark)}")
    return (
        f"the rows of this kind, with different losses, lie within {listed(parts)}, as one encoder probed again would"
    )


def pair(treatment: str, control: str, benchmark: str, why: str, regime: str = "mixed") -> str:
    """Two variants of the same seed against each other."""
    a, b = (find(name, regime, benchmark, VARIANT_SEED) for name in (treatment, control))
    assert a is not None and b is not None
    figure = Figure(a, b)
    return f"`{treatment}` minus `{control}` on {title(benchmark)}: {signed(figure.difference)}. {why}"


def other_benchmark(variant: str, benchmark: str, why: str, regime: str = "mixed") -> str:
    """What the same variant does on a benchmark that the claim leaves out."""
    item = change(variant, regime, benchmark)
    assert item is not None
    figure = item.chosen
    return (
        f"On {title(benchmark)}, {why}, `{variant}` changes {signed(figure.difference)} "
        f"(other clips: {interval(figure.clip_interval)})."
    )


def association(first: str, second: str, regime: str = "mixed") -> str:
    """Do methods that are better on one benchmark do worse on another?"""
    names = methods(regime, (first, second))
    pairs = [(find(name, regime, first, VARIANT_SEED), find(name, regime, second, VARIANT_SEED)) for name in names]
    values = [(a.accuracy_percent, b.accuracy_percent) for a, b in pairs if a and b]
    found = stats.spearmanr(*zip(*values))
    return (
        f"Over the {len(values)} methods, accuracy on {title(first)} and on {title(second)} rise together: rank "
        f"correlation {found.statistic:+.2f} (p = {found.pvalue:.4f}). The table shows no trade of one for the other."
    )


def families(regime: str = "mixed", benchmark: str = "imagenet100") -> str:
    """Who was counted as what, and what each way of counting gives."""
    found = contrasts(FAMILIES, regime, benchmark)
    parts = [
        f"{signed(mean)}, p = {p:.3f}, {label} ({len(FAMILIES[label])} variants)" for label, (mean, p) in found.items()
    ]
    return (
        f"Latent terms that were trained: {named(LATENT_CHANGE)}; not trained, by defect 2: {named(NAMED_ONLY)}; "
        f"colour prediction: {named(COLOUR_CHANGE)}. The study does not say which it means. Mean accuracy minus that "
        f"of all other variants, with the p-value of an exact permutation of variants: {'; '.join(parts)}."
    )


def beside(variants: Iterable[str], regime: str, benchmark: str, stated: tuple[float, float]) -> str:
    """Relatives of a claim's variants that it does not speak of, against the range that it states."""
    outside = []
    for name in variants:
        item = change(name, regime, benchmark)
        if item and not stated[0] <= round(item.chosen.difference, 1) <= stated[1]:
            outside.append(f"`{name}` {signed(item.chosen.difference)}")
    return f"Outside the stated range on {title(benchmark)}, and not among the claim's rows: {listed(outside)}."


def same_readout() -> str:
    """What the published probes read."""
    return (
        f"All {len(published_results())} published results read the last level alone. On SSv2 and IN-100 it is the "
        "probe that averages a clip to one vector of that width: the encoder gives one for each of its tokens, at each "
        "of its levels. The width is a limit of these probes before it is one of the model."
    )
