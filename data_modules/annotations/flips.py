"""Says so where training mirrors clips whose classes tell left from right."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lightning.pytorch.utilities import rank_zero_warn

# A thing that is pulled right out, as one class of Something-Something V2 has it, has no side.
_SIDES = re.compile(r"\b(left|right(?! out\b)|clockwise|counterclockwise|anticlockwise)\b", re.IGNORECASE)


def sided_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the classes whose names say left, right or a sense of rotation."""
    return tuple(name for name in classes if _SIDES.search(name))


def warn_of_flips(name: str, sided: Sequence[str], num_classes: int, option: str = "horizontal_flip") -> None:
    """Warn, on one process, that half of the training clips are mirrored.

    Args:
        name: of the data.
        sided: classes that a mirrored clip does not belong to any more; without one there is nothing to say.
        num_classes: how many classes there are.
        option: of the data module that switches flips off.
    """
    if sided:
        rank_zero_warn(
            f"{name}: half of the training clips are mirrored, and {len(sided)} of {num_classes} classes tell left "
            f"from right ({sided[0]!r}, ...): as in the study, which pretrains without labels; {option} false switches "
            "it off"
        )
