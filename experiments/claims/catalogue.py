"""The twelve claims, in our own words, with the published numbers that each rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from experiments.claims import contexts
from experiments.claims.rankings import Last, Lead, LossCount, MostBalanced
from experiments.claims.statements import Expectation, Shift, Statement, Unpublished
from experiments.claims.temporal import FAMILIES, LATENT_CHANGE, MostLose, WeakerThanOthers

_KINEMATIC = ("kinematic", "kinematic_0_1", "kinematic_accel", "kinematic_split")
_KINEMATIC_REST = ("kinematic_anneal", "kinematic_huber")


@dataclass(frozen=True)
class Claim:
    """Something that the study says.

    Args:
        number: in the order of this list.
        key: short name.
        text: in our words.
        statements: what it states; all must hold for it to hold.
        contexts: figures beside it that do not enter the verdict.
        evidence: figures for its measuring something else; None: what its first statement found.
    """

    number: int
    key: str
    text: str
    statements: tuple[Statement, ...]
    contexts: tuple[Callable[[], str], ...] = ()
    evidence: Callable[[], str] | None = None

    @property
    def subjects(self) -> tuple[str, ...]:
        """Variants that it is about."""
        return tuple(dict.fromkeys(name for item in self.statements for name in item.subjects))

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """Pairs of regime and benchmark that it rests on."""
        return tuple(dict.fromkeys(place for item in self.statements for place in item.places))

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """What runs of ours should show, each once."""
        return tuple(dict.fromkeys(found for item in self.statements for found in item.expectations))


def _mixed(variant: str, benchmark: str, stated: float) -> Shift:
    return Shift((variant,), "mixed", benchmark, 1 if stated > 0 else -1, (stated, stated))


def _falls(variant: str, benchmark: str) -> Shift:
    return Shift((variant,), "mixed", benchmark, -1)


def _guided(benchmark: str, stated: float) -> Shift:
    return Shift(("motion_guided",), "ucf101", benchmark, 1, (stated, stated))


CLAIMS = (
    Claim(
        1,
        "motion_guided",
        "Motion-guided masking improves every metric after pretraining on UCF-101",
        (_guided("diving48", 0.30), _guided("imagenet100", 0.14), _guided("ssv2", 1.38)),
        (
            partial(contexts.floor, "motion_guided", ("imagenet100", "ssv2")),
            partial(contexts.elsewhere, "motion_guided", "mixed", ("imagenet100", "ssv2")),
        ),
    ),
    Claim(
        2,
        "kinematic_trade",
        "Kinematic regularisation trades Diving-48 for IN-100",
        (
            Shift(_KINEMATIC, "ucf101", "diving48", -1, (-2.9, -2.5), decimals=1, also=_KINEMATIC_REST),
            Shift(_KINEMATIC, "ucf101", "imagenet100", 1, (1.5, 1.7), decimals=1),
        ),
        (
            partial(contexts.beside, _KINEMATIC_REST, "ucf101", "diving48", (-2.9, -2.5)),
            partial(contexts.same_count, "baseline", "ucf101", "diving48"),
        ),
        partial(contexts.alike, "ucf101", ("diving48", "imagenet100")),
    ),
    Claim(
        3,
        "fwm_hw_ld",
        "FWM-HW-LD gains on IN-100 and SSv2 and keeps Diving-48",
        (
            _mixed("fwm_hw_ld", "imagenet100", 5.92),
            _mixed("fwm_hw_ld", "ssv2", 3.21),
            Shift(("fwm_hw_ld",), "mixed", "diving48", 0, (-0.30, 0.30)),
        ),
        (
            partial(
                contexts.pair, "fwm_hw_ld", "fwm", "imagenet100",
                "Latent dynamics, which had no gradient, cannot be the reason; no row with hard-region weight 1.0 "
                "alone is published.",
            ),
            partial(contexts.same_count, "fwm_hw_ld", "mixed", "diving48"),
        ),
    ),
    Claim(
        4,
        "ld_largest",
        "LD brings the largest temporal gain of the table",
        (_mixed("ld", "ssv2", 5.02), Lead("ld", "mixed", "ssv2")),
        (partial(contexts.other_benchmark, "ld", "diving48", "the other benchmark about motion"),),
    ),
    Claim(
        5,
        "appearance_losses",
        "Most methods lose appearance, those that predict pixels most",
        (
            LossCount("mixed", "imagenet100", 5.0, (10, 14)),
            Last(("ac", "fac"), "mixed", "imagenet100"),
        ),
    ),
    Claim(
        6,
        "ld_trade",
        "LD alone trades IN-100 and Diving-48 for SSv2",
        (_mixed("ld", "ssv2", 5.02), _falls("ld", "imagenet100"), _falls("ld", "diving48")),
    ),
    Claim(
        7,
        "fwm_trade",
        "FWM alone trades SSv2 and Diving-48 for IN-100",
        (_mixed("fwm", "imagenet100", 1.88), _falls("fwm", "ssv2"), _falls("fwm", "diving48")),
    ),
    Claim(
        8,
        "fwm_ld",
        "FWM and LD without hard-region weighting do poorly on IN-100",
        (_mixed("fwm_ld", "imagenet100", -10.14),),
        (
            partial(
                contexts.pair, "fwm_hw_ld", "fwm_ld", "imagenet100",
                "That is not what hard-region weighting adds: beside it, latent dynamics has no gradient (defect 2), "
                "so the two differ in both.",
            ),
            partial(
                contexts.pair, "fwm_ld", "fwm", "imagenet100",
                "This is what latent dynamics adds to FWM, in one run each.",
            ),
        ),
    ),
    Claim(
        9,
        "most_balanced",
        "The full combination, FWM-HW-LD, is the most balanced of the ablation",
        (MostBalanced("fwm_hw_ld", "mixed"),),
        (partial(contexts.same_count, "fwm_hw_ld", "mixed", "diving48"),),
    ),
    Claim(
        10,
        "kinematic_synthetic",
        "Gains on synthetic motion show that kinematic regularisation encodes temporal structure",
        (Shift(("kinematic", "kinematic_0_1"), "ucf101", "synth_motion", 1, (40.0, 45.0), decimals=0),),
        (
            partial(contexts.clips_of, ("baseline", "kinematic", "kinematic_0_1"), "ucf101", "synth_motion"),
            partial(contexts.floor, "kinematic_0_1", ("imagenet100", "ssv2")),
        ),
        partial(contexts.never_trained, ("kinematic", "kinematic_0_1"), "ucf101", "synth_motion"),
    ),
    Claim(
        11,
        "fixed_width",
        "One embedding of 768 channels must encode both what is there and how it moves",
        (
            Unpublished(
                "a limit of capacity",
                "a premise: no published result varies the width, and none reads appearance and motion from separate "
                "parts of the latent",
            ),
        ),
        (contexts.same_readout,),
    ),
    Claim(
        12,
        "temporal_against_appearance",
        "Objectives about temporal structure often go with weaker appearance (marked as not verified by the study)",
        (
            MostLose(LATENT_CHANGE, "mixed", "imagenet100"),
            WeakerThanOthers(FAMILIES, "mixed", "imagenet100"),
        ),
        (contexts.families, partial(contexts.association, "imagenet100", "ssv2")),
    ),
)  # fmt: skip
