"""What a claim can state, and how each kind of statement is checked against the published results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from experiments.claims.figures import VARIANT_SEED, Change, Figure, change
from experiments.claims.verdict import Finding
from experiments.claims.wording import against_seeds, interval, signed, title
from experiments.report.wording import listed


@dataclass(frozen=True)
class Expectation:
    """What a run of ours should show if a statement were true of it.

    Args:
        variant, benchmark: of the statement.
        direction: +1 above the baseline, -1 below it, 0 no difference.
    """

    variant: str
    benchmark: str
    direction: int


@dataclass(frozen=True)
class Outcome:
    """What the published results say about one statement.

    Args:
        finding: for the rules.
        says: in words, with the figures that decide.
        changes: rows of the table of figures.
    """

    finding: Finding
    says: str
    changes: tuple[Change, ...] = ()


class Statement(Protocol):
    """One thing that a claim states."""

    @property
    def text(self) -> str:
        """In a few words."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Variants that it is about; none where it is about the table as a whole."""

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """Pairs of regime and benchmark that it rests on."""

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """What runs of ours should show."""

    def check(self) -> Outcome:
        """Look it up in the published results."""


class OnOneBenchmark:
    """A statement that rests on one benchmark; about the table as a whole, with nothing to ask of runs of ours."""

    regime: str
    benchmark: str

    @property
    def subjects(self) -> tuple[str, ...]:
        return ()

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        return ((self.regime, self.benchmark),)

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        return ()


@dataclass(frozen=True)
class Shift(OnOneBenchmark):
    """Variants differ from the baseline on one benchmark, by a stated figure or in a stated direction.

    Args:
        variants, regime, benchmark: what it rests on.
        direction: +1 above, -1 below, 0 no further away than ``stated`` says.
        stated: lowest and highest difference in points; None where no figure is stated.
        decimals: with which they are stated.
        also: variants that are shown, but of which it is not stated.
    """

    variants: tuple[str, ...]
    regime: str
    benchmark: str
    direction: int
    stated: tuple[float, float] | None = None
    decimals: int = 2
    also: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        where = title(self.benchmark)
        if self.stated is None:
            return f"{where} {'rises' if self.direction > 0 else 'falls'}"
        low, high = (f"{bound:+.{self.decimals}f}".replace("-", "\u2212") for bound in self.stated)
        if self.direction == 0:
            return f"{where} stays within {low} to {high}"
        return f"{where} {low}" if low == high else f"{where} {low} to {high}"

    @property
    def subjects(self) -> tuple[str, ...]:
        return self.variants

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        return tuple(Expectation(name, self.benchmark, self.direction) for name in self.variants)

    def check(self) -> Outcome:
        found = [change(name, self.regime, self.benchmark) for name in self.variants]
        changes = tuple(item for item in found if item is not None)
        if len(changes) < len(found):
            return Outcome(Finding(published=False), "not published")
        shown = (*changes, *(item for name in self.also if (item := change(name, self.regime, self.benchmark))))
        same = [self._agrees(item.same_seed) if item.same_seed else None for item in changes]
        sizes = [item.spreads for item in changes]
        finding = Finding(
            published=all(self._is_stated(item.chosen) for item in changes),
            true_of_chosen=all(self._agrees(item.chosen) for item in changes),
            true_of_same_seed=False if False in same else None if None in same else True,
            spreads=None if None in sizes else min(size for size in sizes if size is not None),
            beyond_clips=all(figure.beyond_clips for item in changes for figure in item.figures),
            equal_budgets=all(figure.equal_budgets for item in changes for figure in item.figures),
        )
        return Outcome(finding, self._says(changes, finding), shown)

    def _is_stated(self, figure: Figure) -> bool:
        if self.stated is None:
            return True
        low, high = self.stated
        return low <= round(figure.difference, self.decimals) <= high

    def _agrees(self, figure: Figure) -> bool:
        if self.direction == 0:
            return self._is_stated(figure)
        return figure.difference * self.direction > 0

    def _says(self, changes: Sequence[Change], finding: Finding) -> str:
        parts = []
        for item in changes:
            figures = signed(item.chosen.difference)
            if item.same_seed is None:
                figures += f" (no baseline of seed {VARIANT_SEED} was published)"
            elif item.same_seed != item.chosen:
                figures += f", against the same seed {signed(item.same_seed.difference)}"
            parts.append(f"`{item.variant}` {figures}" if len(changes) > 1 else figures)
        text = f"{title(self.benchmark)} {'; '.join(parts)}"
        several = len({figure for item in changes for figure in item.figures}) > 1
        least = "the smallest is " if several and finding.spreads is not None else ""
        text += f"; {least}{against_seeds(finding.spreads, changes[0].noise)}"
        if not finding.beyond_clips:
            inside = next(f for item in changes for f in item.figures if not f.beyond_clips)
            text += f"; with other test clips {interval(inside.clip_interval)}"
        if not finding.equal_budgets:
            pairs = {(f.treatment.probe_epochs, f.control.probe_epochs) for item in changes for f in item.figures}
            text += "; " + listed(f"{a} probe epochs against {b}" for a, b in sorted(pairs))
        return text


@dataclass(frozen=True)
class Unpublished:
    """A statement of which no published number speaks.

    Args:
        text: in a few words.
        reason: why nothing speaks of it.
        expectations: what runs of ours should show.
    """

    text: str
    reason: str
    subjects: tuple[str, ...] = ()
    places: tuple[tuple[str, str], ...] = ()
    expectations: tuple[Expectation, ...] = field(default=())

    def check(self) -> Outcome:
        return Outcome(Finding(published=False), self.reason)
