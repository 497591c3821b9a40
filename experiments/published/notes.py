"""Where a published number does not mean what its row says; docs/defects.md gives the evidence for each."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Note:
    """What to know before reading a published number.

    Args:
        defect: number in docs/defects.md.
        variants: names or globs of the variants concerned; empty for all.
        text: one sentence.
    """

    defect: int
    variants: tuple[str, ...]
    text: str

    def concerns(self, variant: str) -> bool:
        """Whether the note belongs to this variant in particular."""
        return any(fnmatchcase(variant, pattern) for pattern in self.variants)


NOTES = (
    Note(
        1, ("kinematic*", "sigreg_no_ema"),
        "not of a trained encoder: with the EMA off, the released evaluation reads the target's initial weights",
    ),
    Note(
        2, ("hw_ld", "fwm_hw_ld"),
        "no dynamics head was trained: beside hard-region weighting the released latent dynamics has no gradient",
    ),
    Note(
        3, ("fwm*", "fac"),
        "the halves are the shallow and the deep levels; the probes read the last level and never the appearance half",
    ),
    Note(
        4, ("motion_guided", "amg", "combo", "motion_future"),
        "the motion of a time step was divided by the maximum of another clip of the batch",
    ),
    Note(10, (), "SSv2 was probed on one mean vector a clip, not on tokens"),
    Note(11, ("hw_ld", "fwm_ld", "fwm_hw_ld"), "probes on Diving-48 and SSv2 had 50 epochs, all others 100"),
    Note(
        13, (),
        "every number is one pretraining seed. The baseline that the study compares with is seed 42, every other "
        "variant is seed 239; the two mixed baselines are 3.6 points apart on IN-100 and 1.8 on SSv2",
    ),
)  # fmt: skip


def defects_of(variant: str) -> tuple[int, ...]:
    """Numbers of the notes that belong to a variant in particular."""
    return tuple(note.defect for note in NOTES if note.concerns(variant))
