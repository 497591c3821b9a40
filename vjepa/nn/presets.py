"""Named sizes of encoder and predictor."""

from __future__ import annotations

from dataclasses import dataclass

from vjepa.errors import unknown_name
from vjepa.layout import NUM_LEVELS


@dataclass(frozen=True)
class Preset:
    """Width, depth and heads of encoder and predictor; every width is divisible by its heads."""

    width: int
    depth: int
    num_heads: int
    predictor_width: int
    predictor_depth: int
    predictor_num_heads: int

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
}


def preset(name: str) -> Preset:
    """Look a preset up.

    Raises:
        UserError: the name is unknown; the nearest one is suggested.
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return PRESETS[name]


def level_blocks(depth: int) -> tuple[int, ...]:
    """Blocks (from 0) after which a level is tapped: round((i + 1) * depth / 4) - 1 for i = 0..3."""
    return tuple(round((level + 1) * depth / NUM_LEVELS) - 1 for level in range(NUM_LEVELS))
