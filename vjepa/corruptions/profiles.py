"""Named lists of corruptions and severities."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property

from vjepa.corruptions.base import SEVERITIES, VERSION
from vjepa.corruptions.registry import CORRUPTIONS
from vjepa.corruptions.source import NATIVE_PER_SAMPLED
from vjepa.errors import unknown_name
from vjepa.storage import digest_json

_OPERATIONS = ("native", NATIVE_PER_SAMPLED, "source", "all", "view", "sampled", "model")
"""The order of operations on a video, and how many of its frames they get; part of the identity of every figure."""


@dataclass(frozen=True)
class Profile:
    """A named list of corruptions and severities.

    Args:
        name: as it ends the names of summary metrics (``mpc_smoke``).
        corruptions: names, in the order they are run.
        severities: run for each that has more than one level.
        notes: what a reader of its figures must know; shown as warnings by ``profile``.
    """

    name: str
    corruptions: tuple[str, ...]
    severities: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @property
    def conditions(self) -> tuple[tuple[str, int], ...]:
        """Every (corruption, severity); order probes that have one level are run once."""
        return tuple(
            (name, severity)
            for name in self.corruptions
            for severity in (self.severities if len(CORRUPTIONS[name].levels) > 1 else (1,))
        )

    @property
    def label_preserving(self) -> tuple[tuple[str, int], ...]:
        """The conditions that averages (mPC, rPC) are over: all but those of the order probes."""
        return tuple(condition for condition in self.conditions if CORRUPTIONS[condition[0]].group != "order")

    @cached_property
    def hash(self) -> str:
        """Digest of the protocol version, its order of operations, and all conditions with their parameters."""
        parameters = [[name, severity, CORRUPTIONS[name].levels[severity - 1]] for name, severity in self.conditions]
        return digest_json([VERSION, _OPERATIONS, self.name, parameters])


_ROB_V1 = (
    "gaussian_noise",
    "defocus_blur",
    "contrast",
    "fog",
    "occlusion_block",
    "frame_freeze",
    "frame_blackout",
    "frame_rate",
    "temporal_blur",
    "h264_crf",
    "packet_loss_sim",
    "local_shuffle",
    "reverse",
    "static",
)
_IMAGES = ("gaussian_noise", "defocus_blur", "contrast_image", "fog", "occlusion_block", "jpeg_compression")
# The motion blur of Mini SSV2-C is an average over time, here temporal_blur.
_MINI_SSV2_C = (
    "shot_noise",
    "rain",
    "contrast",
    "brightness",
    "saturate",
    "fog",
    "temporal_blur",
    "frame_rate_fps",
    "bit_error",
    "packet_loss_sim",
    "h264_crf",
    "h265_crf",
)
_SSV2_P = (
    "gaussian_noise",
    "shot_noise_mild",
    "impulse_noise",
    "speckle_noise",
    "motion_blur_per_frame",
    "defocus_blur",
    "zoom_blur",
    "jpeg_compression",
    "mpeg2_quantiser",
    "mpeg4_quantiser",
    "static_rotation",
    "variable_rotation",
    "translation",
    "sampling",
    "reverse_sampling",
    "jumbling",
    "box_jumbling",
    "frame_freeze",
)
_IMAGENET_C = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast_image",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)
SHIPPED = (
    Profile("smoke", ("gaussian_noise", "frame_freeze", "h264_crf"), (3,)),
    Profile("core", _ROB_V1, (1, 3, 5)),
    Profile("full", _ROB_V1, SEVERITIES),
    Profile("images", _IMAGES, (1, 3, 5)),
    Profile(
        "mini_ssv2_c",
        _MINI_SSV2_C,
        SEVERITIES,
        (
            "packet loss is simulated by cutting packets out and not by a network, so its figures do not compare; "
            "saturate is not monotone by design",
        ),
    ),
    Profile(
        "ssv2_p",
        _SSV2_P,
        SEVERITIES,
        (
            "levels of jumbling and box_jumbling run backwards (of 16 frames, severity 5 moves the fewest, and "
            "box_jumbling nothing from severity 3); mpeg2_quantiser is one level from severity 2, mpeg4_quantiser "
            "from 3; sampling at severities 4 and 5 leaves one frame of 16",
        ),
    ),
    Profile(
        "imagenet_c",
        _IMAGENET_C,
        SEVERITIES,
        ("frost is a procedural texture, not the photographs of ImageNet-C; its figures do not compare",),
    ),
)
PROFILES: dict[str, Profile] = {item.name: item for item in SHIPPED}


def profile(name: str) -> Profile:
    """Look a profile up and warn of what its figures do not mean.

    Raises:
        UserError: the name is unknown; the nearest one is suggested.
    """
    if name not in PROFILES:
        raise unknown_name("corruption profile", name, PROFILES)
    for note in PROFILES[name].notes:
        warnings.warn(f"corruption profile {name}: {note}", stacklevel=2)
    return PROFILES[name]
