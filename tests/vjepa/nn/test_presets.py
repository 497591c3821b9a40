"""Named sizes."""

from __future__ import annotations

import pytest
import torch

from vjepa.errors import UserError
from vjepa.nn import PRESETS, Encoder, Predictor, preset
from vjepa.nn.presets import level_blocks

SIZES = {
    "tiny": (96, 4, 3, 48, 2, 3),
    "glyphs": (192, 6, 3, 96, 4, 3),
    "small": (384, 12, 6, 192, 6, 6),
    "base": (768, 12, 12, 256, 8, 8),
    "large": (1024, 24, 16, 384, 12, 12),
    "huge": (1280, 32, 16, 384, 12, 12),
    "giant": (1408, 40, 22, 384, 24, 12, 48 / 11),
    "gigantic": (1664, 48, 26, 384, 24, 12, 64 / 13),
}


@pytest.mark.parametrize(("name", "sizes"), SIZES.items())
def test_sizes(name: str, sizes: tuple[int, ...]) -> None:
    chosen = preset(name)
    assert tuple(vars(chosen).values()) == (sizes if len(sizes) == 7 else (*sizes, 4.0))
    assert chosen.latent_width == 4 * sizes[0]
    assert chosen.width % chosen.num_heads == chosen.predictor_width % chosen.predictor_num_heads == 0


def test_no_preset_without_a_test() -> None:
    assert set(PRESETS) == set(SIZES)


@pytest.mark.parametrize(("name", "nearest"), [("bse", "base"), ("glyph", "glyphs"), ("Large", "large")])
def test_unknown_preset_names_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UserError) as error:
        preset(name)
    for part in (f"unknown preset '{name}'", f"did you mean '{nearest}'?", "tiny, glyphs, small, base, large"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("depth", "blocks"),
    [
        (4, (0, 1, 2, 3)),
        (6, (1, 2, 3, 5)),
        (12, (2, 5, 8, 11)),
        (24, (5, 11, 17, 23)),
        (40, (9, 19, 29, 39)),
        (48, (11, 23, 37, 47)),
    ],
)
def test_levels_are_tapped_after_every_quarter(depth: int, blocks: tuple[int, ...]) -> None:
    assert level_blocks(depth) == blocks


@pytest.mark.parametrize(
    ("name", "hidden", "millions"),
    [("large", 4096, 304), ("huge", 5120, 632), ("giant", 6144, 1012), ("gigantic", 8192, 1844)],
)
def test_large_presets_have_the_parameters_of_v_jepa_2(name: str, hidden: int, millions: int) -> None:
    with torch.device("meta"):
        encoder = Encoder(preset(name), rope="v2")
    assert encoder.blocks[0].mlp.fc1.out_features == hidden
    assert round(sum(p.numel() for p in encoder.parameters()) / 1e6) == millions


@pytest.mark.parametrize(("num_mask_tokens", "expected"), [(6, 10_456_576), (2, 10_455_552)])
def test_base_has_the_parameters_of_the_study(num_mask_tokens: int, expected: int) -> None:
    with torch.device("meta"):
        encoder, predictor = Encoder(preset("base")), Predictor(preset("base"), 16, num_mask_tokens)
    assert sum(p.numel() for p in encoder.parameters()) == 86_833_152
    assert sum(p.numel() for p in predictor.parameters()) == expected
