"""What a corruption is, and how its random draws are keyed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

VERSION = "rob-v1"
SEVERITIES = (1, 2, 3, 4, 5)

Group = Literal["spatial", "temporal", "codec", "order"]


@dataclass(frozen=True)
class Corruption:
    """One way to damage a clip at up to five strengths.

    Args:
        name: unique name.
        group: ``spatial``, ``temporal`` and ``codec`` keep the label; ``order`` may change it and is kept out
            of averages.
        levels: the parameter of each severity, weakest first.
        function: ``(clip, parameter, generator) -> clip``, both (F, H_px, W_px, 3) uint8; it draws the same
            numbers whatever the parameter, so that severities are nested.
    """

    name: str
    group: Group
    levels: tuple[float, ...]
    function: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def keyed_generator(dataset: str, video_id: str, corruption: str) -> np.random.Generator:
    """Return the generator of one (data set, video, corruption), the same in any process, batch and worker.

    The severity is not part of the key: one field of draws serves all severities of a video.
    """
    text = f"{VERSION}|{dataset}|{video_id}|{corruption}"
    key = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    return np.random.Generator(np.random.Philox(key=key))
