"""Which words of a command line name a foreign encoder, and opening it."""

from __future__ import annotations

from collections.abc import Callable

from experiments.evaluation.external.subjects import External


def _timm(text: str) -> External:
    from experiments.evaluation.external.frames import open_frame_encoder

    return open_frame_encoder(text)


def _hf(text: str) -> External:
    from experiments.evaluation.external.clips import open_clip_encoder

    return open_clip_encoder(text)


def _weights(text: str) -> External:
    from experiments.evaluation.external.weights import open_weights

    return open_weights(text)


KINDS: dict[str, Callable[[str], External]] = {"timm": _timm, "hf": _hf, "weights": _weights}
"""What stands before the colon, and what opens the rest; libraries are imported by then, not before."""


def is_external(word: str) -> bool:
    """Whether a word names a foreign encoder, and no folder of a run."""
    from experiments.evaluation.external.weights import is_weights

    return _has_kind(word) or is_weights(word)


def open_external(word: str) -> External:
    """The encoder that ``KIND:...`` names, or the path of its weights.

    Raises:
        UserError: it cannot be opened.
    """
    if not _has_kind(word):
        return _weights(word)
    kind, _, rest = word.partition(":")
    return KINDS[kind](rest)


def _has_kind(word: str) -> bool:
    kind, colon, _ = word.partition(":")
    return bool(colon) and kind in KINDS
