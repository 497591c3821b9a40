"""Names and numbers as a reader sees them."""

from __future__ import annotations

from collections.abc import Iterable

_PROBE_TITLES = {
    "linear_time": "linear (time)",
    "linear_mean": "linear (mean)",
    "attentive": "attentive",
}
_PROBE_NAMES = {
    "linear_time": "time-resolved linear probe",
    "linear_mean": "mean-pooled linear probe",
    "attentive": "attentive probe",
}


def probe_title(probe: str) -> str:
    """A probe's name, short enough for a column."""
    return _PROBE_TITLES.get(probe, probe.replace("_", " "))


def probe_name(probe: str) -> str:
    """A probe's name for running text."""
    return _PROBE_NAMES.get(probe, f"{probe.replace('_', ' ')} probe")


def signed(value: float, unit: str) -> str:
    """A difference with its sign: percentage points with one decimal, log ratios with two."""
    if unit == "points":
        return points(value)
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "\u2212")


def points(value: float) -> str:
    """A difference of fractions in signed percentage points, one decimal."""
    # Adding 0.0 turns the minus zero of a rounded small loss into zero.
    return f"{round(100 * value, 1) + 0.0:+.1f}".replace("-", "\u2212")


def listed(items: Iterable[str]) -> str:
    """``a, b and c``."""
    words = list(items)
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def spoken(name: str) -> str:
    """A name of the code as a reader sees it."""
    return name.replace("_", " ")
