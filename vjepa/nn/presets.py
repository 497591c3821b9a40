"""Named sizes of encoder and predictor."""

from __future__ import annotations

from dataclasses import dataclass

from vjepa.errors import unknown_name
from vjepa.layout import NUM_LEVELS


@dataclass(frozen=True)
class Preset:
    """Width, depth and heads of encoder and predictor; every width is divisible by its heads.

    ``mlp_ratio`` is the hidden width of the encoder's MLPs over its width; the predictor's is 4.
    """

    width: int
    depth: int
    num_heads: int
    predictor_width: int
    predictor_depth: int
    predictor_num_heads: int
    mlp_ratio: float = 4.0

    @property
    def latent_width(self) -> int:
        """D = L*E, the width of the concatenated levels."""
        return NUM_LEVELS * self.width


PRESETS: dict[str, Preset] = {
    "tiny": Preset(96, 4, 3, 48, 2, 3),
    "glyphs": Preset(192, 6, 3, 96, 4, 3),
    "small": Preset(384, 12, 6, 192, 6, 6),
    "base": Preset(768, 12, 12, 256, 8, 8),
    "large": Preset(1024, 24, 16, 384, 12, 12),
    "huge": Preset(1280, 32, 16, 384, 12, 12),
    "giant": Preset(1408, 40, 22, 384, 24, 12, 48 / 11),
    "gigantic": Preset(1664, 48, 26, 384, 24, 12, 64 / 13),
}
"""From large on, the encoders are those of V-JEPA 2 and 2.1."""


def preset(name: str) -> Preset:
    """Look a preset up.

    Raises:
        UserError: the name is unknown; the nearest one is suggested.
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return PRESETS[name]


def level_blocks(depth: int) -> tuple[int, ...]:
    """Blocks (from 0) after which a level is tapped: round((i + 1) * depth / 4) - 1 for i = 0..3.

    Differs: at depth 48 the third is 37, as in the official model of that depth, and not 35.
    """
    if depth == 48:
        return (11, 23, 37, 47)
    return tuple(round((level + 1) * depth / NUM_LEVELS) - 1 for level in range(NUM_LEVELS))
