"""Attention, block and initialisation."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tests.conftest import Golden
from vjepa.grid import Grid
from vjepa.nn.blocks import Block, RotaryAttention, initialize
from vjepa.nn.rope import rotary_table

GRID = Grid(3, 4, 4)


def weights(case: dict, prefix: str) -> dict:
    return {key.removeprefix(prefix): value for key, value in case.items() if key.startswith(prefix)}


@pytest.mark.parametrize(("name", "reference"), [("attn1", 16), ("attn0", None)])
def test_attention_equals_the_study(golden: Golden, name: str, reference: int | None) -> None:
    case = golden("rope_block")
    attention = RotaryAttention(128, 2)
    attention.load_state_dict(weights(case, f"{name}_sd/"))
    table = rotary_table(GRID, 64, reference, torch.device("cpu"))
    torch.testing.assert_close(attention(case[f"{name}_xf"], table), case[f"{name}_yf"], atol=1e-4, rtol=0)
    masked = attention(case[f"{name}_x"], table[case[f"{name}_mask"]])
    torch.testing.assert_close(masked, case[f"{name}_y"], atol=1e-4, rtol=0)


def test_block_equals_the_study(golden: Golden) -> None:
    case = golden("rope_block")
    block = Block(128, 2)
    block.load_state_dict(weights(case, "block_sd/"))
    table = rotary_table(GRID, 64, 16, torch.device("cpu"))[case["block_mask"]]
    torch.testing.assert_close(block(case["block_x"], table), case["block_y"], atol=1e-4, rtol=0)


def test_attention_without_rotation_equals_torch() -> None:
    torch.manual_seed(0)
    ours, theirs = RotaryAttention(32, 4), nn.MultiheadAttention(32, 4, batch_first=True)
    theirs.load_state_dict({
        "in_proj_weight": ours.qkv.weight, "in_proj_bias": ours.qkv.bias,
        "out_proj.weight": ours.proj.weight, "out_proj.bias": ours.proj.bias,
    })  # fmt: skip
    x = torch.randn(2, 5, 32)
    still = torch.stack((torch.ones(5, 4), torch.zeros(5, 4)), dim=-1)
    torch.testing.assert_close(ours(x, still), theirs(x, x, x)[0], atol=1e-5, rtol=1e-4)


def test_initialisation_shrinks_the_outputs_of_deep_blocks() -> None:
    torch.manual_seed(0)
    blocks = nn.ModuleList(Block(128, 2) for _ in range(4))
    initialize(blocks, blocks)
    for depth, block in enumerate(blocks, start=1):
        assert isinstance(block, Block)
        assert block.attn.qkv.weight.std().item() == pytest.approx(0.02, rel=0.05)
        assert block.mlp.fc1.weight.std().item() == pytest.approx(0.02, rel=0.05)
        for scaled in (block.attn.proj.weight, block.mlp.fc2.weight):
            assert scaled.std().item() == pytest.approx(0.02 / math.sqrt(2 * depth), rel=0.05)
        assert not any(bias.any() for name, bias in block.named_parameters() if name.endswith("bias"))
