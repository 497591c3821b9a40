"""Names of encoders, as short as they can be told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from experiments.report.scores import variant_title
from experiments.results import RowStamp, is_random_init

PIXELS = "pixels"
_TOLD: tuple[tuple[str, Callable[[RowStamp], str]], ...] = (
    ("reading", lambda stamp: stamp.reading.replace("_", " ")),
    ("regime", lambda stamp: stamp.regime),
    ("weights", lambda stamp: stamp.weights),
    ("seed", lambda stamp: f"seed {stamp.seed}"),
    ("step", lambda stamp: f"step {stamp.step:,}"),
    ("config_hash", lambda stamp: stamp.config_hash[:6]),
)


def is_control(stamp: RowStamp) -> bool:
    """Whether an encoder has learned nothing and belongs to no run."""
    return stamp.weights == PIXELS or is_random_init(stamp)


def encoder_titles(stamps: Iterable[RowStamp]) -> dict[RowStamp, str]:
    """A title for each encoder: its variant, and what else tells it from the others of that variant."""
    by_name: dict[str, list[RowStamp]] = {}
    for stamp in dict.fromkeys(stamps):
        by_name.setdefault(_name(stamp), []).append(stamp)
    titles = {}
    for name, twins in by_name.items():
        for stamp, rest in zip(twins, _apart(twins), strict=True):
            titles[stamp] = ", ".join([name, *rest])
    return titles


def _name(stamp: RowStamp) -> str:
    if stamp.weights == PIXELS:
        return PIXELS
    if is_random_init(stamp):
        # Only encoders of others have a slash in their name; a run cannot.
        return f"random init of {stamp.variant}" if "/" in stamp.variant else "random init"
    return variant_title(stamp.variant) + (" (initial weights)" if stamp.weights == "init" else "")


def _apart(twins: Sequence[RowStamp]) -> list[list[str]]:
    """What tells encoders of one name apart: columns of which the values differ, as few as are enough."""
    told: list[list[str]] = [[] for _ in twins]
    for column, spoken in _TOLD:
        if len(set(map(tuple, told))) == len(twins):
            break
        if len({getattr(stamp, column) for stamp in twins}) > 1:
            for words, stamp in zip(told, twins, strict=True):
                words.append(spoken(stamp))
    return told
