"""The pre-norm transformer block with rotary attention that encoder and predictor share."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vjepa.nn.attention import Packing, attend
from vjepa.nn.linear import Linear
from vjepa.nn.rope import Rope, rotate

LAYER_NORM_EPS = 1e-6


class RotaryAttention(nn.Module):
    """Multi-head self-attention with rotary positions on queries and keys.

    Args:
        width: channels, divisible by ``num_heads``.
        num_heads: number of heads.
    """

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = Linear(width, 3 * width)
        self.proj = Linear(width, width)

    def forward(self, x: Tensor, table: Tensor, packing: Packing | None = None) -> Tensor:
        """Attend.

        Args:
            x: (B, K, width), or (P, width) with a packing.
            table: (K, head_dim / 2, 2) cosines and sines of these tokens, or (B, K, head_dim / 2, 2) where samples
                keep different ones; (P, head_dim / 2, 2) with a packing. Tiled, 4 in place of 2. See
                ``vjepa.nn.rope.rotary_table``.
            packing: see ``vjepa.nn.attention.attend``.

        Returns:
            Same shape as ``x``.
        """
        qkv = self.qkv(x).unflatten(-1, (3, self.num_heads, -1))  # (..., 3, heads, head_dim)
        both, value = qkv.split([2, 1], dim=-3)
        query, key = rotate(both, table[..., None, None, :, :]).unbind(-3)
        return self.proj(attend(query, key, value.squeeze(-3), packing).flatten(-2))


class Mlp(nn.Module):
    """Linear, GELU (exact), Linear."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = Linear(width, hidden)
        self.fc2 = Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """x + Attn(LN(x)), then x + Mlp(LN(x)).

    Args:
        width: channels.
        num_heads: attention heads.
        mlp_ratio: hidden width of the MLP over ``width``.
    """

    def __init__(self, width: int, num_heads: int, mlp_ratio: float = 4.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.attn = RotaryAttention(width, num_heads)
        self.norm2 = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.mlp = Mlp(width, int(width * mlp_ratio))

    def forward(self, x: Tensor, table: Tensor, packing: Packing | None = None) -> Tensor:
        """(B, K, width) -> (B, K, width), or (P, width) -> (P, width); see ``RotaryAttention``."""
        x = x + self.attn(self.norm1(x), table, packing)
        return x + self.mlp(self.norm2(x))


class Stack(nn.ModuleList):
    """Blocks one after the other.

    ``checkpointed``: in training, keep what enters a block and compute the rest again in the backward pass.
    """

    checkpointed = False

    def forward(self, x: Tensor, table: Tensor, packing: Packing | None = None) -> Iterator[Tensor]:
        """What leaves each block, in order; arguments as of ``Block``."""
        for block in self:
            if self.checkpointed and torch.is_grad_enabled():
                x = checkpoint(block, x, table, packing, use_reentrant=False, preserve_rng_state=False)
            else:
                x = block(x, table, packing)
            yield x

    def last(self, x: Tensor, table: Tensor, packing: Packing | None = None) -> Tensor:
        """What leaves the last block."""
        (found,) = deque(self(x, table, packing), maxlen=1)
        return found


def modality_vector(width: int, rope: Rope) -> nn.Parameter | None:
    """What is added to every token of a kind of clip, (1, 1, width); V-JEPA 2 has none."""
    return nn.Parameter(torch.zeros(1, 1, width)) if rope == "v2_1" else None


def initialize(module: nn.Module, blocks: Iterable[nn.Module]) -> None:
    """Initialise a transformer in place.

    Linear and convolution weights are drawn from N(0, 0.02^2) truncated to [-2, 2], biases are 0, and the
    output projections of block i (counted from 1) are divided by sqrt(2 i). Modality vectors are drawn from
    N(0, 1e-6^2).

    Source: the reference's initialisation (also that of V-JEPA 2).
    """
    for child in module.modules():
        if isinstance(child, nn.Linear | nn.Conv3d):
            nn.init.trunc_normal_(child.weight, std=0.02, a=-2.0, b=2.0)
            if child.bias is not None:
                nn.init.zeros_(child.bias)
    for depth, block in enumerate(blocks, start=1):
        assert isinstance(block, Block)
        block.attn.proj.weight.data.div_(math.sqrt(2 * depth))
        block.mlp.fc2.weight.data.div_(math.sqrt(2 * depth))
    for name in ("video_mod_embed", "img_mod_embed"):
        if (vector := getattr(module, name, None)) is not None:
            nn.init.normal_(vector, std=1e-6)
