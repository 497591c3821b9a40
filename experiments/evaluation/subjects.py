"""Who is evaluated: an encoder, its identity in result rows, and the parts of it that are looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from experiments.evaluation.encoders import FrozenEncoder
from experiments.evaluation.views import View
from experiments.results import RowStamp

Surprise = Callable[[Tensor, Tensor, int], Tensor]
"""See ``Subject``."""


@dataclass(frozen=True)
class Subject:
    """An encoder under evaluation.

    Args:
        label: unique name in messages and figures, for example ``fwm_hw_ld as_described``.
        encoder: frozen; what it returns is divided by ``views``.
        stamp: identity columns of its rows.
        digest: of weights and of everything else that decides what the encoder returns; names cached features.
        views: parts that can be probed, ``whole`` first.
        surprise: from uint8 frames (B, F, H_px, W_px, 3), the encoder's tokens of them and the number of the batch,
            which draws the masks, to the error (B,) of the predictor; None for an encoder without one.
    """

    label: str
    encoder: FrozenEncoder
    stamp: RowStamp
    digest: str
    views: tuple[View, ...]
    surprise: Surprise | None = None
