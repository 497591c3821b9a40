"""Robustness protocol rob-v1: pure functions on uint8 clips, draws keyed by (data set, video, corruption).

Order of operations where several stages of a pipeline are involved: decode, codec at native resolution,
temporal blur on source frames, sampling of frames, index maps, resize and crop, pixel corruptions, rounding to
uint8. Lengths in pixels scale with side/224 and windows in frames with F/16; sigmas, probabilities and rate
factors do not scale.
"""

from vjepa.corruptions.base import SEVERITIES, VERSION, Corruption, keyed_generator
from vjepa.corruptions.registry import CORRUPTIONS, PROFILES, Profile, corrupt, corruption, profile

__all__ = [
    "CORRUPTIONS",
    "PROFILES",
    "SEVERITIES",
    "VERSION",
    "Corruption",
    "Profile",
    "corrupt",
    "corruption",
    "keyed_generator",
    "profile",
]
