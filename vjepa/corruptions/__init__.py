"""Robustness protocol rob-v1: corruptions of uint8 clips, draws keyed by (data set, video, corruption).

Order of operations, the ``stage`` of a corruption: decode, compression and transmission at the resolution of the
video (``native``), temporal blur on its frames (``source``), sampling of F frames, freezing, holding and shuffling
of those (``sampled``), resize and crop, pixels (``model``), rounding to uint8.

``corrupt_video`` keeps that order, and ``corrupt_source`` does with as few frames of a video as serve a clip. A clip
that is already sampled and cropped may be given to any corruption by
``corrupt`` or, batched on its device, ``corrupt_batch``; then compression acts on the small picture
(for h264_crf stronger than on the large one that is then reduced, in which artefacts average out), temporal blur
and frame_rate_fps span frames that are as far apart as the sampling stride, and translation repeats the edge.

Lengths in pixels scale with the shorter side / 224 and windows in frames with F/16; sigmas of noise, probabilities,
rates and factors do not scale. An image that is shown as a static clip is corrupted as a clip of one frame and then
repeated.
"""

from vjepa.corruptions.base import SEVERITIES, STAGES, VERSION, Corruption, keyed_generator
from vjepa.corruptions.codec import codec_versions
from vjepa.corruptions.pipeline import corrupt_video
from vjepa.corruptions.profiles import PROFILES, Profile, profile
from vjepa.corruptions.registry import CORRUPTIONS, corrupt, corrupt_batch, corruption
from vjepa.corruptions.source import SourceClip, corrupt_source

__all__ = [
    "CORRUPTIONS",
    "PROFILES",
    "SEVERITIES",
    "STAGES",
    "VERSION",
    "Corruption",
    "Profile",
    "SourceClip",
    "codec_versions",
    "corrupt",
    "corrupt_batch",
    "corrupt_source",
    "corrupt_video",
    "corruption",
    "keyed_generator",
    "profile",
]
