"""Which defects of the study touch which variants and benchmarks; docs/defects.md gives the evidence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Defect:
    """A defect, as far as it bears on published differences.

    Args:
        number, title, stars: in docs/defects.md; three stars change what a headline number means.
        text: what it does to a number.
        variants: names or globs of the variants it touches; empty for all.
        benchmarks, regimes: those it touches; empty for all.
        absent: the objective that the variant is named after had no part in the number.
    """

    number: int
    title: str
    stars: int
    text: str
    variants: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()
    regimes: tuple[str, ...] = ()
    absent: bool = False

    @property
    def touches_all(self) -> bool:
        """Whether no figure is free of it."""
        return not (self.variants or self.benchmarks or self.regimes)

    @property
    def anchor(self) -> str:
        """Of its heading in docs/defects.md, as GitHub makes it."""
        return re.sub(r"[^\w\- ]", "", f"{self.number}. {self.title}".lower()).replace(" ", "-")

    def names(self, variants: Iterable[str]) -> tuple[str, ...]:
        """Those of the variants that it is about in particular."""
        return tuple(name for name in variants if any(fnmatchcase(name, pattern) for pattern in self.variants))

    def touches(self, variants: Iterable[str], benchmarks: Iterable[str], regimes: Iterable[str]) -> bool:
        """Whether it touches results of these variants on these benchmarks after pretraining in these regimes."""
        return (
            (not self.variants or bool(self.names(variants)))
            and (not self.benchmarks or not {*self.benchmarks}.isdisjoint(benchmarks))
            and (not self.regimes or not {*self.regimes}.isdisjoint(regimes))
        )


_MOTION = ("motion_guided", "amg", "combo", "motion_future")
DEFECTS = (
    Defect(
        1, "Without a teacher, evaluation reads random initial weights", 3,
        "the encoder that was probed had never been trained", ("kinematic*", "sigreg_no_ema"), absent=True,
    ),
    Defect(
        2, "Latent dynamics has no gradient beside hard-region weighting", 3,
        "latent dynamics had no gradient, so that the rest of the combination was trained",
        ("hw_ld", "fwm_hw_ld"), absent=True,
    ),
    Defect(
        3, "Appearance and dynamics are depths of the network", 3,
        "the two halves are shallow and deep levels, and the probe reads the deepest alone", ("fwm*", "fac"),
    ),
    Defect(
        4, "Motion maps are normalised along time instead of per sample", 3,
        "the guidance follows the motion of other clips of the batch", _MOTION,
    ),
    Defect(5, "Motion is read from 4 of 256 pixels", 2, "most of the motion in a patch is not seen", _MOTION),
    Defect(
        6, "Motion guidance changes how much is masked", 2,
        "fewer tokens are hidden than without guidance, which may be what makes the difference", _MOTION,
    ),
    Defect(
        9, "Images are still videos", 2,
        "the images are clips without motion, eight nearly equal time steps whose mean is read",
        benchmarks=("imagenet100",),
    ),
    Defect(
        10, "The attentive probe of SSv2 sees one vector", 2,
        "tokens are averaged over time before the probe, so order counts only as far as single tokens carry it",
        benchmarks=("ssv2",),
    ),
    Defect(
        11, "Three variants got half the probe budget", 2, "probes on Diving-48 and SSv2 had 50 epochs, all others 100",
        ("hw_ld", "fwm_ld", "fwm_hw_ld"), ("diving48", "ssv2"),
    ),
    Defect(
        12, "Unrelated models get the same number of clips right", 2,
        "several accuracies may be the frequency of a class (a suspicion)", benchmarks=("diving48",),
    ),
    Defect(13, "One seed, against the better of two baselines", 2, "every difference is between two single runs"),
    Defect(14, "There is no validation split", 2, "choices were made on the test clips"),
    Defect(
        15, "Hard-region weights are nearly uniform", 2,
        "hard-region weighting does little but scale the prediction loss", ("hw*", "ac_hw", "combo", "fwm_hw_ld"),
    ),
    Defect(
        17, "16 frames a second are not", 2, "clips were trained and judged at different frame rates",
        regimes=("ucf101",),
    ),
    Defect(
        25, "Action prediction is L1, on averaged colours", 1,
        "the predicted pixels are the mean colour of a patch over two frames", ("ac", "fac", "ac_hw"),
    ),
    Defect(
        31, "The synthetic test has 40 clips", 1, "one clip is 2.5 points", benchmarks=("synth_motion",),
    ),
    Defect(
        33, "Pretraining sees the probes' training data", 1,
        "accuracy of the mixed regime is in-domain, equally for all", benchmarks=("imagenet100", "ssv2"),
        regimes=("mixed",),
    ),
)  # fmt: skip


def touching(variants: Iterable[str], benchmarks: Iterable[str], regimes: Iterable[str]) -> tuple[Defect, ...]:
    """Defects that touch these results in particular, by number; those that touch every figure are left out."""
    asked = tuple(variants), tuple(benchmarks), tuple(regimes)
    return tuple(item for item in DEFECTS if not item.touches_all and item.touches(*asked))


def objectives_absent(variants: Iterable[str]) -> tuple[Defect, ...]:
    """Defects by which an objective of these variants had no part in their numbers."""
    names = tuple(variants)
    return tuple(item for item in DEFECTS if item.absent and item.names(names))
