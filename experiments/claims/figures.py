"""Published results as differences, with the noise that can be known of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from scipy import stats

from experiments.published import MAIN_PROBES, PublishedResult, configs, results

NAMES = {"diving48": "Diving-48", "imagenet100": "IN-100", "ssv2": "SSv2", "synth_motion": "synthetic motion"}
MAIN_BENCHMARKS = ("diving48", "imagenet100", "ssv2")
VARIANT_SEED = 239
"""Pretraining seed of every variant of the study that is not a baseline."""
CHOSEN_SEED = {"mixed": 42, "ucf101": 239}
"""Pretraining seed of the baseline that the study compares with; stated differences are differences to it."""


@dataclass(frozen=True)
class Figure:
    """A published accuracy minus another, in points.

    Args:
        treatment, control: results of one benchmark.
    """

    treatment: PublishedResult
    control: PublishedResult

    @property
    def difference(self) -> float:
        """Treatment minus control; results have two decimals, so has this."""
        return round(self.treatment.accuracy_percent - self.control.accuracy_percent, 2)

    @property
    def clip_interval(self) -> tuple[float, float]:
        """95 % interval in points for other test clips and these very encoders.

        Source: Newcombe, Statistics in Medicine 17 (1998), method 10, for independent samples. The clips were the
        same, but no prediction is published, so pairing cannot be used; that makes the interval too wide, as a rule.
        """
        a, b = self.treatment, self.control
        (low_a, high_a), (low_b, high_b) = wilson(a), wilson(b)
        p_a, p_b = (100 * count_right(item) / item.test_clips for item in (a, b))
        return (
            p_a - p_b - math.hypot(p_a - low_a, high_b - p_b),
            p_a - p_b + math.hypot(high_a - p_a, p_b - low_b),
        )

    @property
    def beyond_clips(self) -> bool:
        """Whether the interval for other test clips excludes zero."""
        low, high = self.clip_interval
        return low > 0 or high < 0

    @property
    def equal_budgets(self) -> bool:
        """Whether both probes had the same clips, epochs, learning rate and weight decay, as far as is published."""
        return budget(self.treatment) == budget(self.control)


@dataclass(frozen=True)
class SeedNoise:
    """What two pretraining seeds of one baseline differ by: all that is known of seeds.

    Args:
        results: of the two seeds.
        borrowed: it is that of another regime, because this one has a single baseline.
    """

    results: tuple[PublishedResult, PublishedResult]
    borrowed: bool

    @property
    def spread(self) -> float:
        """Absolute difference in points."""
        a, b = self.results
        return abs(round(a.accuracy_percent - b.accuracy_percent, 2))

    @property
    def sd_interval(self) -> tuple[float, float]:
        """95 % interval in points of the standard deviation over seeds, from two seeds."""
        sd = self.spread / math.sqrt(2)
        return sd / math.sqrt(stats.chi2.ppf(0.975, 1)), sd / math.sqrt(stats.chi2.ppf(0.025, 1))

    @property
    def half_width(self) -> float:
        """Half the 95 % interval in points for a third run of this baseline."""
        return float(stats.t.ppf(0.975, 1)) * self.spread / math.sqrt(2) * math.sqrt(1.5)

    def p_value(self, result: PublishedResult, control: PublishedResult) -> float:
        """Chance of a run as far off as ``result`` if it were another seed of the baseline; one degree of freedom.

        The run is compared with the mean of the two seeds, or, where the spread is borrowed, with ``control``.
        """
        sd = self.spread / math.sqrt(2)
        if self.borrowed:
            t = (result.accuracy_percent - control.accuracy_percent) / (sd * math.sqrt(2))
        else:
            mean = sum(item.accuracy_percent for item in self.results) / 2
            t = (result.accuracy_percent - mean) / (sd * math.sqrt(1.5))
        return float(2 * stats.t.sf(abs(t), 1))


@dataclass(frozen=True)
class Change:
    """A variant against the baselines on one benchmark.

    Args:
        variant, regime, benchmark: what was published.
        chosen: minus the baseline that the study chose.
        same_seed: minus the baseline of the variant's own seed, which may be the chosen one; None if not published.
        noise: of seeds; None where no baseline has two seeds on this benchmark.
    """

    variant: str
    regime: str
    benchmark: str
    chosen: Figure
    same_seed: Figure | None
    noise: SeedNoise | None

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Differences to one or both baselines."""
        return (self.chosen,) if self.same_seed is None else (self.chosen, self.same_seed)

    @property
    def spreads(self) -> float | None:
        """The smaller of the differences, in spreads between the two baseline seeds."""
        return in_spreads(min(abs(figure.difference) for figure in self.figures), self.noise)

    @property
    def p_value(self) -> float | None:
        """As ``SeedNoise.p_value``; None without an estimate of seed noise."""
        return None if self.noise is None else self.noise.p_value(self.chosen.treatment, self.chosen.control)


def in_spreads(points: float, noise: SeedNoise | None) -> float | None:
    """Size of a difference in spreads between two baseline seeds; None where there are not two."""
    return None if noise is None else abs(points) / noise.spread


def change(variant: str, regime: str, benchmark: str) -> Change | None:
    """A variant of the study against its baselines; None if it or the chosen baseline was not judged there."""
    result = find(variant, regime, benchmark, VARIANT_SEED)
    control = find("baseline", regime, benchmark, CHOSEN_SEED[regime])
    if result is None or control is None:
        return None
    same = find("baseline", regime, benchmark, VARIANT_SEED)
    same_seed = None if same is None else Figure(result, same)
    return Change(variant, regime, benchmark, Figure(result, control), same_seed, seed_noise(regime, benchmark))


def seed_noise(regime: str, benchmark: str) -> SeedNoise | None:
    """Two seeds of the regime's baseline, else of another regime's."""
    for other in (regime, *CHOSEN_SEED):
        found = [item for item in _main(benchmark) if _config_of(item) == ("baseline", other)]
        if len(found) == 2:
            return SeedNoise((found[0], found[1]), borrowed=other != regime)
    return None


def find(variant: str, regime: str, benchmark: str, seed: int) -> PublishedResult | None:
    """The result of the study's main probe, if it was published."""
    for item in _main(benchmark):
        if _config_of(item) == (variant, regime) and item.pretraining_seed == seed:
            return item
    return None


def methods(regime: str, benchmarks: Iterable[str] = MAIN_BENCHMARKS) -> tuple[str, ...]:
    """Variants other than the baseline that have results on all of the benchmarks."""
    names = dict.fromkeys(item.objective for item in configs() if item.regime == regime)
    wanted = tuple(benchmarks)
    return tuple(
        name
        for name in names
        if name != "baseline" and all(find(name, regime, benchmark, VARIANT_SEED) for benchmark in wanted)
    )


def ties(result: PublishedResult) -> tuple[PublishedResult, ...]:
    """Other encoders with exactly as many clips right on the same benchmark by the same probe."""
    return tuple(
        item for item in _main(result.benchmark) if item != result and count_right(item) == count_right(result)
    )


def count_right(result: PublishedResult) -> int:
    """Test clips that the probe got right."""
    return round(result.accuracy_percent * result.test_clips / 100)


def budget(result: PublishedResult) -> tuple[float | None, ...]:
    """What the probe was given: training clips, epochs, learning rate, weight decay."""
    return (result.train_clips, result.probe_epochs, result.probe_lr, result.probe_weight_decay)


def wilson(result: PublishedResult) -> tuple[float, float]:
    """95 % score interval of an accuracy in percent, for other test clips."""
    interval = stats.binomtest(count_right(result), result.test_clips).proportion_ci(0.95, method="wilson")
    return 100 * interval.low, 100 * interval.high


def _main(benchmark: str) -> tuple[PublishedResult, ...]:
    return tuple(item for item in results() if item.benchmark == benchmark and item.probe in MAIN_PROBES)


def _config_of(result: PublishedResult) -> tuple[str, str]:
    return _CONFIGS[result.config]


_CONFIGS = {item.config: (item.objective, item.regime) for item in configs()}
