"""Names of variants: single ones, groups of them, and globs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from experiments.overlays import variant_names
from experiments.published import study_variants
from vjepa.errors import UserError, did_you_mean

BASELINE = "baseline"

GROUPS: Mapping[str, tuple[str, ...]] = {
    "core": (BASELINE, "fwm", "ld", "hw", "fwm_ld", "hw_ld", "fwm_hw_ld"),
    "factorized": ("fwm", "fwm_ld", "fwm_hw_ld", "fac"),
    "kinematics": ("kinematic*",),
    "motion": ("motion_*", "amg*"),
    "action": ("ac", "ac_hw", "fac"),
    "temporal": ("delta", "hamiltonian", "spectral", "ltc", "velgate", "combo", "future_predictive"),
}
"""Groups of variants by name; members may be globs. ``all``, ``study`` and ``controls`` are worked out."""


def group_names() -> list[str]:
    """Every name that stands for several variants."""
    return [*GROUPS, "study", "controls", "all"]


def members(group: str) -> tuple[str, ...]:
    """Variants of a group, in its own order."""
    names = variant_names()
    if group == "all":
        return tuple(names)
    in_study = set(study_variants())
    if group in ("study", "controls"):
        return tuple(name for name in names if (name in in_study) == (group == "study"))
    return tuple(name for pattern in GROUPS[group] for name in names if fnmatchcase(name, pattern))


def expand(words: Sequence[str]) -> tuple[str, ...]:
    """Variants that names, groups and globs stand for, each once, in the order of the words.

    Raises:
        UserError: a word stands for nothing, or there is none.
    """
    names, found = variant_names(), []
    for word in words:
        if word in names:
            found.append(word)
        elif word in group_names():
            found += members(word)
        else:
            matching = [name for name in names if fnmatchcase(name, word)]
            if not matching:
                known = [*names, *group_names()]
                raise UserError(
                    f"unknown variant {word!r}{did_you_mean(word, known)}: expected a name or a glob of "
                    f"{', '.join(names)}, or one of the groups {', '.join(group_names())}"
                )
            found += matching
    if not found:
        raise UserError("an ablation needs at least one variant, for example --variants core")
    return tuple(dict.fromkeys(found))
