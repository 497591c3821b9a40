"""What is compared, and what comes out: S paired seeds, C clips.

Accuracies and mPC are fractions in these objects and percentage points in words; SSI is a log ratio, in nats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

Unit = Literal["points", "nats"]
Family = Literal["primary", "accuracy", "descriptive"]

BASELINE = "baseline"
"""Variant that every other one is compared with."""
FACTORIZED, WHOLE_LATENT = "factorized", "not factorized"
"""Names that stand as variants of the two sides of the factorization contrast, the mean over all matched pairs."""


class VariantKey(NamedTuple):
    """A trained variant, or a control: ``random_init`` and ``pixels`` have the reading ``none``."""

    variant: str
    reading: str


@dataclass(frozen=True)
class Endpoint:
    """A number that variants are compared by.

    Args:
        name: ``mPC``, ``SSI`` or ``accuracy``.
        benchmark: data set, or ``<data set>/<task>``.
        probe: name of the probe protocol; for SSI the division of the latent, ``within_level`` or ``by_level``.
        unit: ``points`` for fractions in [0, 1], ``nats`` for SSI.
        family: of hypotheses that are corrected together; ``descriptive`` ones are not corrected and claim nothing.
    """

    name: str
    benchmark: str
    probe: str
    unit: Unit
    family: Family


@dataclass(frozen=True)
class Samples:
    """One endpoint of one variant, run by run and clip by clip.

    Args:
        endpoint, key: what was measured, of what.
        seeds: S, ascending.
        clips: C names.
        values: (S, C) float64 whose mean over clips is the endpoint of a run.
    """

    endpoint: Endpoint
    key: VariantKey
    seeds: tuple[int, ...]
    clips: tuple[str, ...]
    values: np.ndarray


@dataclass(frozen=True)
class Difference:
    """An endpoint of a minus that of b.

    Args:
        mean: over all seeds and clips.
        low, high: interval for new seeds and new clips; None with one seed.
        num_seeds, num_clips: S and C.
        per_seed: S differences.
        seed_sd: standard deviation of ``per_seed``; None with one seed.
        clip_low, clip_high: interval for new clips with these very seeds; information, never evidence that
            one variant trains better than another.
        confidence: of all intervals.
        p_value: two-sided, of no difference, by the t of ``low`` and ``high``; not corrected. None with one seed.
        bootstrap_low, bootstrap_high: percentile interval of seeds and clips drawn anew; None with one seed.
        mdd: smallest true difference found with 80 % power at level 0.05; None with one seed.
        mdd_holm: the same at the level of the first Holm step of its family; None outside a family.
        unit: of all of these.
    """

    mean: float
    low: float | None
    high: float | None
    num_seeds: int
    num_clips: int
    per_seed: tuple[float, ...]
    seed_sd: float | None
    clip_low: float
    clip_high: float
    confidence: float = 0.95
    p_value: float | None = None
    bootstrap_low: float | None = None
    bootstrap_high: float | None = None
    mdd: float | None = None
    mdd_holm: float | None = None
    unit: Unit = "points"

    @property
    def significant(self) -> bool:
        """Whether there is an interval and it excludes zero; says nothing of other comparisons made beside it."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def interval(self) -> str:
        """The interval in words of its unit, or why there is none."""
        if self.low is None or self.high is None:
            return f"n={self.num_seeds} seed: no interval"
        return f"[{self.signed(self.low)}, {self.signed(self.high)}]"

    @property
    def sample(self) -> str:
        """How many seeds and clips are behind it."""
        return f"n = {count_seeds(self.num_seeds)} x {self.num_clips} clips"

    def signed(self, value: float) -> str:
        """A value in its unit, with its sign and without the name of the unit."""
        # Adding 0.0 turns the minus zero of a rounded small loss into zero.
        return f"{round(100 * value, 1) + 0.0:+.1f}" if self.unit == "points" else f"{round(value, 2) + 0.0:+.2f}"

    def size(self, value: float) -> str:
        """A value in its unit, without either."""
        return self.signed(abs(value))[1:]

    def describe(self, a: str, b: str) -> str:
        """Say in one sentence what the numbers support, if this were the only comparison.

        Args:
            a, b: names of the variants.
        """
        start = f"{a} - {b}: {self.signed(self.mean)} {self.unit}"
        if self.low is None or self.high is None:
            clips = f"[{self.signed(self.clip_low)}, {self.signed(self.clip_high)}]"
            return f"{start}, {self.sample}; {self.interval} (new clips with this seed alone: {clips})"
        if not self.significant:
            return f"{start} {self.interval}, {self.sample}: not significant"
        winner, loser = (a, b) if self.mean > 0 else (b, a)
        low, high = sorted((self.low, self.high), key=abs)
        within = f"[{self.size(low)}, {self.size(high)}]"
        return f"{winner} beats {loser} by {self.size(self.mean)} {self.unit} {within}, {self.sample}"


@dataclass(frozen=True)
class Comparison:
    """A difference, treatment minus control, within its family.

    Args:
        treatment, control: what was compared.
        endpoint: by which number.
        difference: with an interval that is not corrected.
        p_holm: p-value corrected over the family; None with one seed, and for what is only described.
        significant: ``p_holm`` below 0.05; never for what is only described.
    """

    treatment: VariantKey
    control: VariantKey
    endpoint: Endpoint
    difference: Difference
    p_holm: float | None
    significant: bool

    def describe(self, a: str, b: str) -> str:
        """Say in one sentence what the numbers support, among all comparisons of the family.

        Args:
            a, b: names of treatment and control.
        """
        found = self.difference
        if self.significant and self.p_holm is not None:
            return f"{found.describe(a, b)}, Holm-corrected {format_p(self.p_holm)}"
        if found.low is None:
            return found.describe(a, b)
        start = f"{a} - {b}: {found.signed(found.mean)} {found.unit} {found.interval}, {found.sample}"
        if self.p_holm is not None:
            return f"{start}: not significant (Holm-corrected {format_p(self.p_holm)})"
        excluded = "excludes" if found.significant else "includes"
        return f"{start}: described only, not corrected; the interval {excluded} zero"


@dataclass(frozen=True)
class Summary:
    """One endpoint of one variant by itself.

    Args:
        key, endpoint: what was measured, of what.
        mean: over all seeds and clips.
        low, high: 95 % interval for new seeds and new clips, not paired with anything; None with one seed.
        seed_sd: standard deviation of ``per_seed``; None with one seed.
        per_seed: S means over clips, in the order of ``seeds``.
        num_seeds, num_clips: S and C.
        seeds: S.
    """

    key: VariantKey
    endpoint: Endpoint
    mean: float
    low: float | None
    high: float | None
    seed_sd: float | None
    per_seed: tuple[float, ...]
    num_seeds: int
    num_clips: int
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Analysis:
    """All that is said about a set of evaluations.

    Args:
        endpoints: those found, primary first.
        samples: the numbers behind everything.
        summaries: every variant and control by itself.
        comparisons: every variant minus the baseline of its reading, the same seeds and clips.
        controls: every trained variant minus its random initialisation, the same seeds and clips.
        factorization: per reading the mean over matched pairs, its variants named ``FACTORIZED`` and
            ``WHOLE_LATENT``, then each pair.
        notes: what a reader must know: missing seeds, what is not corrected, what could not be computed.
    """

    endpoints: tuple[Endpoint, ...]
    samples: tuple[Samples, ...]
    summaries: tuple[Summary, ...]
    comparisons: tuple[Comparison, ...]
    controls: tuple[Comparison, ...]
    factorization: tuple[Comparison, ...]
    notes: tuple[str, ...]


def count_seeds(number: int) -> str:
    """``1 seed`` or ``3 seeds``."""
    return "1 seed" if number == 1 else f"{number} seeds"


def format_p(p: float) -> str:
    """A p-value as ``p = 0.012`` or ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
