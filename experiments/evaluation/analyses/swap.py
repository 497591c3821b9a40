"""Clean halves in corrupted clips: how much of the damage to a probe sits in z_app and how much in z_dyn.

A corrupted clip with the clean z_app is the clean clip with the corrupted z_dyn, so two swaps a division are all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

from torch import Tensor

from experiments.evaluation.analyses.answers import Answers
from experiments.evaluation.analyses.base import Report
from experiments.evaluation.analyses.divisions import Division, channels_of
from experiments.evaluation.analyses.rows import averages
from experiments.evaluation.conditions import Condition
from experiments.evaluation.encoded import Encoded
from experiments.evaluation.subjects import Subject
from experiments.evaluation.views import LEVELS, View, named
from experiments.probes import FittedProbe
from experiments.results import Predictions, Row
from vjepa.corruptions import Profile
from vjepa.metrics import recovered_ratio, swap_channels
from vjepa.metrics.ratios import MIN_STANDARD_ERRORS

PREFIX = "swap."
"""Of the subspace in rows: ``swap.within_level.dyn`` reads all levels, of a corrupted clip with the clean z_dyn."""


class Swapped(Encoded):
    """Clips with some channels of another version of them; pools are swapped as pools, which is the same.

    Args:
        seen: the clips.
        donor: the other version.
        channels: (C,) bool, those of the donor.
    """

    def __init__(self, seen: Encoded, donor: Encoded, channels: Tensor) -> None:
        self._seen, self._donor, self._channels = seen, donor, channels

    @cached_property
    def tokens(self) -> Tensor:  # type: ignore[override]
        return swap_channels(self._seen.tokens, self._donor.tokens, self._channels)

    @cached_property
    def time(self) -> Tensor:
        return swap_channels(self._seen.time, self._donor.time, self._channels)


def swapped_logits(
    subject: Subject, divisions: Sequence[Division], probes: Sequence[FittedProbe], clean: Encoded, seen: Encoded
) -> dict[str, Tensor]:
    """Answers of the probes on all levels to corrupted clips with one clean half, (B, C_k) by name.

    Probes that read every token are passed over: of clean clips only the means over space are kept.
    """
    asked = [(number, probe) for number, probe in enumerate(probes) if _can_swap(probe)]
    if not asked:
        return {}
    levels, total = named(subject.views, LEVELS), seen.time.shape[-1]
    found: dict[str, Tensor] = {}
    for half in _halves(divisions):
        mixed = Swapped(seen, clean, channels_of(half, total)).part(levels)
        found |= {_key(number, half): probe.logits(mixed) for number, probe in asked}
    return found


def swap_report(answers: Sequence[Answers], divisions: Sequence[Division], analysis: str, profile: Profile) -> Report:
    """Accuracy with one clean half and the share of the damage that it repairs, under each condition and on average.

    Args:
        answers: of all probes of a subject.
        divisions: of the subject.
        analysis: under whose name ``swapped_logits`` were collected.
        profile: what was run.
    """
    rows: list[Row] = []
    blocks: list[Predictions] = []
    for each in answers:
        if not _can_swap(each.fitted):
            continue
        corrupted = {condition: each.top1(condition) for condition in profile.label_preserving}
        for half in _halves(divisions):
            make = each.named(PREFIX + half.name)
            swapped: dict[Condition, float] = {}
            for condition, accuracy in corrupted.items():
                logits = each.found.extra(analysis, condition)[_key(each.number, half)][each.applies].float()
                swapped[condition] = each.accuracy(logits)
                scores = {"top1": swapped[condition], "recovered_ratio": _ratio(each, swapped[condition], accuracy)}
                rows += make.rows(scores, condition, profile.hash)
                blocks.append(each.block(condition, logits, make.subspace))
            means, before = averages("mpc", swapped, profile), averages("mpc", corrupted, profile)
            recovered = {
                name.replace("mpc", "recovered_ratio", 1): _ratio(each, value, before[name])
                for name, value in means.items()
            }
            rows += make.summary(means | recovered, profile)
    return Report(tuple(rows), tuple(blocks))


def _ratio(answers: Answers, swapped: float, corrupted: float) -> float:
    """Blank where the probe has no utility or the damage is within the noise: there is nothing to recover."""
    clean = answers.clean
    little = clean.value - corrupted < MIN_STANDARD_ERRORS * clean.standard_error
    if answers.is_constant or little or math.isnan(clean.margin):
        return math.nan
    return recovered_ratio(swapped, corrupted, clean.value)


def _can_swap(probe: FittedProbe) -> bool:
    return probe.view == LEVELS and probe.protocol.reads != "tokens"


def _halves(divisions: Sequence[Division]) -> list[View]:
    return [half for division in divisions for half in division.halves]


def _key(number: int, half: View) -> str:
    return f"swap{number}.{half.name}"
