"""Statements about the table as a whole: who gains or loses most, how many lose, who is balanced."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import stats

from experiments.claims.figures import (
    CHOSEN_SEED,
    MAIN_BENCHMARKS,
    VARIANT_SEED,
    Change,
    Figure,
    budget,
    change,
    find,
    in_spreads,
    methods,
    seed_noise,
)
from experiments.claims.statements import Expectation, OnOneBenchmark, Outcome
from experiments.claims.verdict import Finding
from experiments.claims.wording import against_seeds, named, signed, title
from experiments.report.wording import listed


@dataclass(frozen=True)
class Lead(OnOneBenchmark):
    """A variant has the highest accuracy of all rows whose probes had its budget.

    Args:
        variant, regime, benchmark: what it rests on.
    """

    variant: str
    regime: str
    benchmark: str

    @property
    def text(self) -> str:
        return f"the largest gain on {title(self.benchmark)}, among probes of its budget"

    @property
    def subjects(self) -> tuple[str, ...]:
        return (self.variant,)

    def check(self) -> Outcome:
        noise = seed_noise(self.regime, self.benchmark)
        own = find(self.variant, self.regime, self.benchmark, VARIANT_SEED)
        assert own is not None
        others = {
            name: Figure(own, result)
            for name in methods(self.regime, (self.benchmark,))
            if name != self.variant and (result := find(name, self.regime, self.benchmark, VARIANT_SEED))
        }
        fair = {name: figure for name, figure in others.items() if figure.equal_budgets}
        second = min(fair, key=lambda name: fair[name].difference)
        lead = fair[second]
        size = in_spreads(lead.difference, noise)
        text = f"{signed(lead.difference)} to the next, `{second}`: {against_seeds(size, noise)}"
        for name, figure in others.items():
            if name not in fair and figure.difference < lead.difference:
                text += (
                    f"; not compared: {signed(figure.difference)} to `{name}` "
                    f"({against_seeds(in_spreads(figure.difference, noise), noise)}), whose probe "
                    f"had {figure.control.probe_epochs} epochs against {own.probe_epochs}"
                )
        ahead = lead.difference > 0
        return Outcome(Finding(True, ahead, ahead, size, lead.beyond_clips), text)


@dataclass(frozen=True)
class LossCount(OnOneBenchmark):
    """So many of the methods lose more than so many points.

    Args:
        regime, benchmark: what it rests on; methods with results on all main benchmarks count.
        points: that are lost.
        stated: how many lose them, of how many.
    """

    regime: str
    benchmark: str
    points: float
    stated: tuple[int, int]

    @property
    def text(self) -> str:
        return f"{self.stated[0]} of {self.stated[1]} lose more than {self.points:g} points on {title(self.benchmark)}"

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        return tuple(Expectation(name, self.benchmark, -1) for name in methods(self.regime))

    def check(self) -> Outcome:
        changes = tuple(
            item for name in methods(self.regime) if (item := change(name, self.regime, self.benchmark)) is not None
        )
        chosen = sum(item.chosen.difference < -self.points for item in changes)
        same = sum(item.same_seed.difference < -self.points for item in changes if item.same_seed)
        finding = Finding(
            published=(chosen, len(changes)) == self.stated,
            true_of_same_seed=(same, len(changes)) == self.stated,
        )
        text = (
            f"{chosen} of {len(changes)} methods with results on all three benchmarks lose more than "
            f"{self.points:g} points, against the same seed {same} of {len(changes)}"
        )
        return Outcome(finding, text, tuple(sorted(changes, key=lambda item: item.chosen.difference)))


@dataclass(frozen=True)
class Last(OnOneBenchmark):
    """Some variants have lower accuracy than all others.

    Args:
        variants, regime, benchmark: what it rests on; methods with results on all main benchmarks are compared.
    """

    variants: tuple[str, ...]
    regime: str
    benchmark: str

    @property
    def text(self) -> str:
        return f"{listed(name.upper() for name in self.variants)} lose most on {title(self.benchmark)}"

    @property
    def subjects(self) -> tuple[str, ...]:
        return self.variants

    def check(self) -> Outcome:
        noise = seed_noise(self.regime, self.benchmark)
        found = [
            (name, result)
            for name in methods(self.regime)
            if (result := find(name, self.regime, self.benchmark, VARIANT_SEED))
        ]
        ranked = sorted(found, key=lambda item: item[1].accuracy_percent)
        best = max((item for item in ranked if item[0] in self.variants), key=lambda item: item[1].accuracy_percent)
        other = next(item for item in ranked if item[0] not in self.variants)
        gap = Figure(other[1], best[1])
        true, size = gap.difference > 0, in_spreads(gap.difference, noise)
        order = [name for name, _ in ranked[: len(self.variants) + 1]]
        text = (
            f"from the lowest up {named(order)}: `{other[0]}` minus `{best[0]}` is {signed(gap.difference)}, "
            f"{against_seeds(size, noise)}"
        )
        return Outcome(Finding(True, true, true, size, gap.beyond_clips, gap.equal_budgets), text)


@dataclass(frozen=True)
class MostBalanced:
    """A variant is the most balanced over the main benchmarks; the claim leaves open what that is.

    Two meanings are tried: the best mean rank, the baseline being ranked too, and the best worst difference to the
    baseline among methods. Neither has a scale of noise.

    Args:
        variant, regime: what it rests on.
    """

    variant: str
    regime: str

    @property
    def text(self) -> str:
        return f"the most balanced over {listed(map(title, MAIN_BENCHMARKS))}"

    @property
    def subjects(self) -> tuple[str, ...]:
        return (self.variant,)

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        return tuple((self.regime, benchmark) for benchmark in MAIN_BENCHMARKS)

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        return tuple(Expectation(self.variant, benchmark, 1) for benchmark in MAIN_BENCHMARKS)

    def check(self) -> Outcome:
        changes = {name: self._changes(name) for name in methods(self.regime)}
        worst = {name: min(item.chosen.difference for item in items) for name, items in changes.items()}
        ranks = self.mean_ranks()
        by_rank = sorted(ranks, key=lambda name: ranks[name])
        by_worst = sorted(worst, key=lambda name: -worst[name])
        unequal = [
            benchmark
            for at, benchmark in enumerate(MAIN_BENCHMARKS)
            if len({budget(items[at].chosen.treatment) for items in changes.values()}) > 1
        ]
        finding = Finding(
            published=True,
            true_of_chosen=by_rank[0] == by_worst[0] == self.variant,
            equal_budgets=not unequal,
        )
        first, second = by_rank[:2]
        low, next_low = by_worst[:2]
        text = (
            f"mean rank {ranks[first]:.2f} of {len(ranks)} for `{first}`, {ranks[second]:.2f} for `{second}`"
            f"{f' (seed {CHOSEN_SEED[self.regime]})' if second == 'baseline' else ''}; worst difference "
            f"{signed(worst[low])} for `{low}`, {signed(worst[next_low])} for `{next_low}`"
        )
        if unequal:
            text += f"; budgets of probes differ on {listed(map(title, unequal))}"
        return Outcome(finding, text, changes[self.variant])

    def mean_ranks(self) -> dict[str, float]:
        """Mean rank over the main benchmarks, 1 the best; ties share their ranks."""
        rows = {name: [item.chosen.treatment for item in self._changes(name)] for name in methods(self.regime)}
        rows["baseline"] = [item.chosen.control for item in self._changes(self.variant)]
        tables = [
            stats.rankdata([-results[at].accuracy_percent for results in rows.values()])
            for at in range(len(MAIN_BENCHMARKS))
        ]
        return {name: float(sum(table[at] for table in tables)) / len(tables) for at, name in enumerate(rows)}

    def _changes(self, name: str) -> tuple[Change, ...]:
        found = (change(name, self.regime, benchmark) for benchmark in MAIN_BENCHMARKS)
        return tuple(item for item in found if item is not None)
