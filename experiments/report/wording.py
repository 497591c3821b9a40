"""The numbers in words: what beats what, by how much, and what is not known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from experiments.report.facts import Comparison
from experiments.report.scores import CLEAN, PRIMARY_PROBE, Scores, task_title

if TYPE_CHECKING:
    from experiments.statistics import Difference

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


def points(value: float) -> str:
    """A difference of fractions in signed percentage points, one decimal."""
    # Adding 0.0 turns the minus zero of a rounded small loss into zero.
    return f"{round(100 * value, 1) + 0.0:+.1f}".replace("-", "\u2212")


def interval(difference: Difference) -> str | None:
    """The interval in points; None where one seed allows none."""
    if difference.low is None or difference.high is None:
        return None
    return f"{points(difference.low)}, {points(difference.high)}"


def interval_name(differences: Iterable[Difference]) -> str:
    """What the intervals of these differences are called."""
    levels = {difference.confidence for difference in differences}
    return f"{100 * levels.pop():g} % interval" if len(levels) == 1 else "interval"


def verdict(difference: Difference) -> str:
    """Higher, lower or not significant, by whether the interval excludes zero."""
    if interval(difference) is None:
        return "nothing is claimed"
    if not difference.significant:
        return "not significant"
    return "higher" if difference.mean > 0 else "lower"


def summary_sentence(scores: Scores, comparisons: Sequence[Comparison], probe: str = PRIMARY_PROBE) -> str:
    """Answer the question of a report by one probe.

    Args:
        scores: all accuracies.
        comparisons: the differences to put into words; those of other probes are passed over.
        probe: the probe to speak of.

    Returns:
        A sentence for each pair of encoders with seeds, clips and intervals; with one seed the accuracies
        alone, and the statement that nothing is claimed.
    """
    chosen = [comparison for comparison in comparisons if comparison.probe == probe]
    if not any(interval(item.difference) for item in chosen):
        reason, seen = _why_no_claim(scores, chosen), _seen(scores, probe)
        return f"{reason}. Seen, by the {probe_name(probe)}, accuracy in %: {seen}."
    pairs = groupby(chosen, key=lambda item: (item.treatment, item.control))
    sentences = [_pair_sentence(*pair, list(items)) for pair, items in pairs]
    seeds = _either(str(item.difference.num_seeds) for item in chosen)
    clips = _either(f"{item.difference.num_clips:,}" for item in chosen)
    units = interval_name(item.difference for item in chosen)
    return (
        f"By the {probe_name(probe)}, with n = {seeds} seeds and {clips} test clips a task: "
        f"{' '.join(sentences)} Differences are in percentage points, each with its {units}."
    )


def _why_no_claim(scores: Scores, comparisons: Sequence[Comparison]) -> str:
    if len(scores.seeds) < 2:
        return "One seed: no interval, nothing is claimed"
    if comparisons:
        return "One seed in common: no interval, nothing is claimed"
    return "No difference was computed: nothing is claimed"


def _pair_sentence(treatment: str, control: str, comparisons: Sequence[Comparison]) -> str:
    """What one pair shows, grouped by verdict: every difference stands with its interval."""
    phrases = {
        "higher": "beats {} on",
        "lower": "falls below {} on",
        "not significant": "does not differ significantly from {} on",
        "nothing is claimed": "has one seed, so no interval and no claim, against {} on",
    }
    parts: list[str] = []
    for outcome, phrase in phrases.items():
        found = [_figure(item) for item in comparisons if verdict(item.difference) == outcome]
        if found:
            parts.append(f"{phrase.format('it' if parts else control)} {_listed(found)}")
    return f"{treatment} {'; it '.join(parts)}."


def _figure(comparison: Comparison) -> str:
    task, within = task_title(comparison.benchmark), interval(comparison.difference)
    return task if within is None else f"{task} ({points(comparison.difference.mean)} [{within}])"


def _seen(scores: Scores, probe: str) -> str:
    parts = []
    for task in scores.tasks:
        found = [(encoder, scores.get(encoder, task, probe, CLEAN)) for encoder in scores.encoders]
        values = [f"{scores.title(encoder)} {100 * score.mean:.1f}" for encoder, score in found if score]
        if values:
            parts.append(f"{task_title(task)}: {', '.join(values)}")
    return "; ".join(parts)


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _either(items: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(items))
