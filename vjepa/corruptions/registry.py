"""Corruptions and profiles by name, and the one function that applies them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vjepa.corruptions.base import VERSION, Corruption, keyed_generator
from vjepa.corruptions.codec import CODEC
from vjepa.corruptions.spatial import SPATIAL
from vjepa.corruptions.temporal import TEMPORAL
from vjepa.errors import UserError, unknown_name
from vjepa.storage import digest_json

CORRUPTIONS: dict[str, Corruption] = {item.name: item for item in (*SPATIAL, *TEMPORAL, *CODEC)}


@dataclass(frozen=True)
class Profile:
    """A named list of corruptions and severities.

    Args:
        name: as it ends the names of summary metrics (``mpc_smoke``).
        corruptions: names, in the order they are run.
        severities: run for each.
    """

    name: str
    corruptions: tuple[str, ...]
    severities: tuple[int, ...]

    @property
    def conditions(self) -> tuple[tuple[str, int], ...]:
        """Every (corruption, severity)."""
        return tuple((name, severity) for name in self.corruptions for severity in self.severities)

    @cached_property
    def hash(self) -> str:
        """Digest of the protocol version and of all conditions with their parameters."""
        parameters = [[name, severity, CORRUPTIONS[name].levels[severity - 1]] for name, severity in self.conditions]
        return digest_json([VERSION, self.name, parameters])


PROFILES: dict[str, Profile] = {
    "smoke": Profile("smoke", ("gaussian_noise", "frame_freeze", "h264_crf"), (3,)),
}


def corruption(name: str) -> Corruption:
    """Look a corruption up.

    Raises:
        UserError: the name is unknown; the nearest one is suggested.
    """
    if name not in CORRUPTIONS:
        raise unknown_name("corruption", name, CORRUPTIONS)
    return CORRUPTIONS[name]


def profile(name: str) -> Profile:
    """Look a profile up.

    Raises:
        UserError: the name is unknown; the nearest one is suggested.
    """
    if name not in PROFILES:
        raise unknown_name("corruption profile", name, PROFILES)
    return PROFILES[name]


def corrupt(clip: np.ndarray, name: str, severity: int, dataset: str, video_id: str) -> np.ndarray:
    """Damage a clip, reproducibly for this video.

    Args:
        clip: (F, H_px, W_px, 3) uint8; not changed.
        name: corruption.
        severity: 1 (weakest) to the number of its levels.
        dataset, video_id: name the clip; with the corruption they key all random draws.

    Returns:
        A clip of the same shape and type.

    Raises:
        UserError: unknown corruption or severity.
        ValueError: the clip has another shape or type.
    """
    chosen = corruption(name)
    if isinstance(severity, bool) or not isinstance(severity, int) or not 1 <= severity <= len(chosen.levels):
        raise UserError(f"corruption {name}: severity {severity!r} does not exist; expected 1 to {len(chosen.levels)}")
    if clip.dtype != np.uint8 or clip.ndim != 4 or clip.shape[-1] != 3 or 0 in clip.shape:
        raise ValueError(f"corruption {name}: expected a (F, H, W, 3) uint8 clip, got {clip.dtype} {clip.shape}")
    generator = keyed_generator(dataset, video_id, name)
    return chosen.function(clip, chosen.levels[severity - 1], generator)
