"""Statements about a family of objectives: do those about time lose appearance, and more than others do?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from experiments.claims.figures import VARIANT_SEED, change, find, in_spreads, methods
from experiments.claims.statements import Expectation, OnOneBenchmark, Outcome
from experiments.claims.verdict import Finding
from experiments.claims.wording import against_seeds, signed, title

LEVEL = 0.05
LATENT_CHANGE = ("ld", "ltc", "delta", "spectral", "combo", "fwm_ld")
"""Variants with a trained term about how latents change over time."""
NAMED_ONLY = ("hw_ld", "fwm_hw_ld")
"""Variants that are named after such a term, which had no gradient (defect 2)."""
COLOUR_CHANGE = ("ac", "fac", "ac_hw")
"""Variants that predict how colours change over time; the study calls them pixel prediction."""
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "counting latent terms that were trained": LATENT_CHANGE,
    "counting latent terms, trained or not": (*LATENT_CHANGE, *NAMED_ONLY),
    "counting latent terms that were trained and colour prediction": (*LATENT_CHANGE, *COLOUR_CHANGE),
    "counting latent terms, trained or not, and colour prediction": (*LATENT_CHANGE, *NAMED_ONLY, *COLOUR_CHANGE),
}


@dataclass(frozen=True)
class MostLose(OnOneBenchmark):
    """More than half of some variants lose accuracy on a benchmark.

    Args:
        variants, regime, benchmark: what it rests on.
    """

    variants: tuple[str, ...]
    regime: str
    benchmark: str

    @property
    def text(self) -> str:
        return f"most of these objectives lose on {title(self.benchmark)}"

    @property
    def subjects(self) -> tuple[str, ...]:
        return self.variants

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        return tuple(Expectation(name, self.benchmark, -1) for name in self.variants)

    def check(self) -> Outcome:
        changes = [item for name in self.variants if (item := change(name, self.regime, self.benchmark))]
        noise = changes[0].noise
        chosen = sorted(item.chosen.difference for item in changes)
        same = sorted(item.same_seed.difference for item in changes if item.same_seed)
        majority = len(changes) // 2  # the place of the loss that makes more than half
        size = in_spreads(min(abs(chosen[majority]), abs(same[majority])), noise)
        text = (
            f"{sum(value < 0 for value in chosen)} of {len(changes)} are below the baseline, against the same seed "
            f"{sum(value < 0 for value in same)}; more than half lose at least {signed(-chosen[majority])[1:]} and "
            f"{signed(-same[majority])[1:]}, {against_seeds(size, noise)}"
        )
        finding = Finding(True, chosen[majority] < 0, same[majority] < 0, size)
        return Outcome(finding, text, tuple(sorted(changes, key=lambda item: item.chosen.difference)))


@dataclass(frozen=True)
class WeakerThanOthers(OnOneBenchmark):
    """A family of variants has lower accuracy than the other variants; no baseline is needed for that.

    Args:
        families: readings of what belongs to the family; the statement is definite only if all agree.
        regime, benchmark: what it rests on; all variants of one seed and one probe budget.
    """

    families: Mapping[str, tuple[str, ...]]
    regime: str
    benchmark: str

    @property
    def text(self) -> str:
        return f"and more than other objectives do on {title(self.benchmark)}"

    def check(self) -> Outcome:
        found = contrasts(self.families, self.regime, self.benchmark)
        weaker = [mean < 0 and p < LEVEL for mean, p in found.values()]
        extremes = sorted(found, key=lambda label: found[label][1])
        parts = [
            f"{signed(found[label][0])} (p = {found[label][1]:.3f}) {label}" for label in (extremes[0], extremes[-1])
        ]
        text = f"means differ by {', but '.join(parts)}"
        if len(set(weaker)) > 1:
            return Outcome(Finding(published=False), f"{text}: the answer depends on which objectives are counted")
        return Outcome(Finding(True, weaker[0], weaker[0], beyond_clips=weaker[0]), text)


def contrasts(families: Mapping[str, tuple[str, ...]], regime: str, benchmark: str) -> dict[str, tuple[float, float]]:
    """``contrast`` of each reading of a family against all other variants of the regime."""
    accuracies = {
        name: result.accuracy_percent
        for name in methods(regime, (benchmark,))
        if (result := find(name, regime, benchmark, VARIANT_SEED))
    }
    return {label: contrast(accuracies, family) for label, family in families.items()}


def contrast(values: Mapping[str, float], family: Sequence[str]) -> tuple[float, float]:
    """Mean of a family minus that of all others, and the two-sided p-value of its exact permutation test.

    Args:
        values: name -> value.
        family: names, some but not all.
    """
    numbers = np.array(list(values.values()))
    chosen = np.array([name in family for name in values])
    splits = np.array(list(combinations(range(len(numbers)), int(chosen.sum()))))
    inside = numbers[splits].mean(1)
    outside = (numbers.sum() - numbers[splits].sum(1)) / (len(numbers) - splits.shape[1])
    observed = float(numbers[chosen].mean() - numbers[~chosen].mean())
    # Sums in another order differ in the last digits: an equal split must count as equal.
    return observed, float(np.mean(np.abs(inside - outside) >= abs(observed) - 1e-9))
