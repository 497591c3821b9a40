"""Do the intervals, families and powers keep their word? Invented results whose truth is known.

R repetitions, V variants, S seeds, C clips. ``python -m experiments.statistics.simulate`` prints the tables of
docs/statistics.md.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from experiments.statistics.bootstrap import resampled_means
from experiments.statistics.holm import LEVEL, holm
from experiments.statistics.power import minimal_difference, power
from experiments.statistics.variance import crossed_variance

_DIFFICULTY, _TASTE = 1.0, 0.4
_PART_CELLS = 8_000_000


@dataclass(frozen=True)
class World:
    """Where results come from: a clip is answered rightly if a sum of normal draws is positive.

    The draws are the clip's ease (the same for all variants and seeds), how the variant likes the clip, the luck of
    the training seed (half of its variance shared by all variants of the seed, so that pairing by seed helps), and
    chance. Their sizes are those of a probe that is right on half of the clips.

    Args:
        num_seeds, num_clips: S and C.
        seed_sd: of a paired difference over seeds, as a fraction of all clips (0.02 is two points).
        effect: true accuracy of the first variant less that of each other one.
    """

    num_seeds: int
    num_clips: int
    seed_sd: float
    effect: float = 0.0

    @property
    def _luck(self) -> float:
        """Standard deviation of a variant's own luck, in draws: accuracies move by the slope of the normal at 0."""
        own = self.seed_sd / math.sqrt(2)
        return own * self._spread_without_luck / stats.norm.pdf(0)

    @property
    def _spread_without_luck(self) -> float:
        return math.sqrt(1 + _DIFFICULTY**2 + _TASTE**2)

    @property
    def _shift(self) -> float:
        """Of the first variant's draws, such that its accuracy is 0.5 + effect exactly."""
        return float(stats.norm.ppf(0.5 + self.effect)) * math.hypot(self._spread_without_luck, self._luck * 2**0.5)

    def results(self, rng: np.random.Generator, repetitions: int, variants: int = 2) -> np.ndarray:
        """Right or wrong, (R, V, S, C) bool."""

        def draw(*shape: int) -> np.ndarray:
            return rng.standard_normal(shape, dtype=np.float32)

        r, v, s, c = repetitions, variants, self.num_seeds, self.num_clips
        level = draw(r, v, s, c)
        level += _DIFFICULTY * draw(r, 1, 1, c)
        level += _TASTE * draw(r, v, 1, c)
        level += self._luck * (draw(r, v, s, 1) + draw(r, 1, s, 1))
        level[:, 0] += self._shift
        return np.asarray(level > 0)

    def parts(self, rng: np.random.Generator, repetitions: int, variants: int = 2) -> Iterator[np.ndarray]:
        """``results`` in parts that fit into memory, each (R', V, S, C)."""
        most = max(1, _PART_CELLS // (variants * self.num_seeds * self.num_clips))
        for start in range(0, repetitions, most):
            yield self.results(rng, min(most, repetitions - start), variants)


@dataclass(frozen=True)
class Coverage:
    """Share of repetitions whose interval holds the true difference, and the mean width of the interval."""

    primary: float
    bootstrap: float
    clips_only: float
    width: float


def coverage(world: World, repetitions: int, seed: int = 0, num_resamples: int = 0) -> Coverage:
    """How often the 95 % intervals of a paired difference hold the truth.

    Args:
        world: where results come from.
        repetitions: R.
        seed: of the draws.
        num_resamples: of the bootstrap; 0 leaves it out, as NaN.
    """
    rng = np.random.default_rng(seed)
    hits: list[list[bool]] = [[], [], []]
    widths: list[float] = []
    t = stats.t.ppf(1 - LEVEL / 2, [world.num_seeds - 1, world.num_clips - 1])
    for part in world.parts(rng, repetitions):
        d = _difference(part)
        off = np.abs(d.mean((1, 2)) - world.effect)
        half = t[0] * np.sqrt(crossed_variance(d))
        by_clip = t[1] * d.mean(1).std(-1, ddof=1) / math.sqrt(world.num_clips)
        hits[0] += (off <= half).tolist()
        hits[2] += (off <= by_clip).tolist()
        widths += (2 * half).tolist()
        for table in d if num_resamples else ():
            low, high = np.quantile(resampled_means(table, num_resamples), (LEVEL / 2, 1 - LEVEL / 2))
            hits[1].append(bool(low <= world.effect <= high))
    primary, bootstrap, clips = (float(np.mean(found)) if found else math.nan for found in hits)
    return Coverage(primary, bootstrap, clips, float(np.mean(widths)))


@dataclass(frozen=True)
class FalseClaims:
    """Share of repetitions with at least one false claim: by Holm, and by every interval taken for itself."""

    holm: float
    uncorrected: float


def false_claims(
    world: World, repetitions: int, comparisons: int = 12, endpoints: int = 2, seed: int = 0
) -> FalseClaims:
    """How often a family claims something where nothing differs; all comparisons share one baseline.

    Args:
        world: without effect.
        repetitions: R.
        comparisons: variants beside the baseline.
        endpoints: on each of which all of them are compared.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    p_values = []
    for _ in range(endpoints):
        parts = list(world.parts(rng, repetitions, comparisons + 1))
        p_values.append(np.concatenate([t_test(part[:, 1:], part[:, :1]) for part in parts]))
    p = np.concatenate(p_values, axis=1)  # (R, comparisons * endpoints)
    return FalseClaims(float((holm(p) < LEVEL).any(1).mean()), float((p < LEVEL).any(1).mean()))


@dataclass(frozen=True)
class PowerFound:
    """Share of repetitions in which a true difference was found, and what ``power`` says."""

    effect: float
    computed: float
    found: float


def power_found(world: World, repetitions: int, alpha: float = LEVEL, seed: int = 0) -> PowerFound:
    """Power of a single test at the minimal detectable difference of such results.

    The standard error behind it is the one that a reader is shown, here the root mean square over repetitions.

    Args:
        world: its effect is set here.
        repetitions: R.
        alpha: level.
        seed: of the draws.
    """
    df = world.num_seeds - 1
    null = replace(world, effect=0.0)
    spread = [crossed_variance(_difference(part)) for part in null.parts(np.random.default_rng(seed + 1), repetitions)]
    # No variant is right on more than all clips.
    effect = min(minimal_difference(_root_mean(spread), df, alpha), 0.4)
    variances, claims = [], []
    for part in replace(world, effect=effect).parts(np.random.default_rng(seed), repetitions):
        variances.append(crossed_variance(_difference(part)))
        claims.append(t_test(part[:, :1], part[:, 1:])[:, 0] < alpha)
    computed = power(effect, _root_mean(variances), df, alpha)
    return PowerFound(effect, computed, float(np.concatenate(claims).mean()))


def _difference(part: np.ndarray) -> np.ndarray:
    return np.asarray(part[:, 0].astype(np.float32) - part[:, 1])


def _root_mean(variances: Sequence[np.ndarray]) -> float:
    return math.sqrt(float(np.concatenate(variances).mean()))


def t_test(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """P-values of the primary test, of (R, V, S, C) results with the same or a single variant, (R, V)."""
    d = a.astype(np.float32) - b
    error = np.sqrt(crossed_variance(d))
    return np.asarray(2 * stats.t.sf(np.abs(d.mean((2, 3))) / error, d.shape[2] - 1))


SEEDS, SEED_SDS = (3, 5, 10), (0.0, 0.02, 0.05)


def tables(repetitions: int, num_clips: int) -> Iterator[str]:
    """The tables of docs/statistics.md, line by line."""
    yield "| seeds | seed sd | primary | bootstrap | clips only | mean width |"
    yield "|---|---|---|---|---|---|"
    for num_seeds in SEEDS:
        for sd in SEED_SDS:
            found = coverage(World(num_seeds, num_clips, sd, 0.03), repetitions, num_resamples=500)
            shares = " | ".join(f"{100 * x:.1f} %" for x in (found.primary, found.bootstrap, found.clips_only))
            yield f"| {num_seeds} | {100 * sd:g} | {shares} | {100 * found.width:.1f} |"
    yield ""
    yield "| seeds | seed sd | Holm | uncorrected |"
    yield "|---|---|---|---|"
    for num_seeds in SEEDS:
        for sd in SEED_SDS:
            claims = false_claims(World(num_seeds, num_clips, sd), repetitions)
            yield f"| {num_seeds} | {100 * sd:g} | {100 * claims.holm:.1f} % | {100 * claims.uncorrected:.1f} % |"
    yield ""
    yield "| seeds | seed sd | true difference | computed | found |"
    yield "|---|---|---|---|---|"
    for num_seeds in SEEDS:
        for sd in SEED_SDS:
            one = power_found(World(num_seeds, num_clips, sd), repetitions)
            numbers = f"{100 * one.effect:.1f} | {100 * one.computed:.1f} % | {100 * one.found:.1f} %"
            yield f"| {num_seeds} | {100 * sd:g} | {numbers} |"


def main(options: Sequence[str] | None = None) -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser("python -m experiments.statistics.simulate", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--clips", type=int, default=512)
    chosen = parser.parse_args(options)
    for line in tables(chosen.repetitions, chosen.clips):
        print(line, flush=True)


if __name__ == "__main__":
    main()
