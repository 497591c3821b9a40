"""Numbers and names as the page, the terminal and the statements print them."""

from __future__ import annotations

from collections.abc import Iterable

from experiments.claims.figures import NAMES, SeedNoise
from experiments.report.wording import listed


def signed(value: float) -> str:
    """A difference in points with two decimals, as published."""
    return f"{value + 0.0:+.2f}".replace("-", "\u2212")


def interval(bounds: tuple[float, float]) -> str:
    """An interval of differences in points."""
    return f"[{signed(bounds[0])}, {signed(bounds[1])}]"


def against_seeds(spreads: float | None, noise: SeedNoise | None) -> str:
    """A size in spreads, with the spread, or that there is none."""
    if spreads is None or noise is None:
        return "no baseline has two seeds here"
    borrowed = ", borrowed from the mixed regime" if noise.borrowed else ""
    return f"{spreads:.2f} times the spread of two baseline seeds ({noise.spread:.2f}{borrowed})"


def named(variants: Iterable[str]) -> str:
    """Names of variants, as the command line takes them."""
    return listed(f"`{name}`" for name in variants)


def title(benchmark: str) -> str:
    """A benchmark as tables name it."""
    return NAMES[benchmark]


def count(number: int, noun: str) -> str:
    """``1 clip`` or ``3 clips``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
