"""The narrow transformer that predicts target tokens, and re-predicts context tokens, from context tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from vjepa.grid import Grid
from vjepa.nn.attention import pack, packing_of, unpack
from vjepa.nn.blocks import LAYER_NORM_EPS, Block, Stack, initialize, modality_vector
from vjepa.nn.linear import Linear
from vjepa.nn.presets import Preset
from vjepa.nn.rope import Rope, rope_table


@dataclass(frozen=True)
class PredictorOptions:
    """Mask tokens of the predictor.

    Args:
        num_mask_tokens: learned mask tokens kept in the weights; None: one for each mask. The study's mixed regime
            keeps 6 and uses the first.
        mask_token: ``per_mask`` (as described) or ``first`` for all masks (as released); None: by the reading.
    """

    num_mask_tokens: int | None = None
    mask_token: Literal["per_mask", "first"] | None = None


class Predictor(nn.Module):
    """Predictor with a head for targets and a head for context.

    Args:
        preset: sizes.
        patch: patch side in pixels (sets the range of rotary positions).
        num_mask_tokens: learned mask tokens; the study keeps masks x data sets of them.
        rope: of the encoder; with ``v2`` there are no modality vectors.

    Source: V-JEPA 2.1 predictor of the study (``predict_all``, modality vectors).
        Differs: tokens are not sorted by position, which changes nothing, since attention sees positions only
        through the rotary table.
    """

    def __init__(self, preset: Preset, patch: int = 16, num_mask_tokens: int = 2, rope: Rope = "v2_1") -> None:
        super().__init__()
        self.preset, self.patch, self.rope = preset, patch, rope
        width = preset.predictor_width
        self.predictor_embed = nn.Sequential(
            Linear(preset.latent_width, preset.width), nn.GELU(), Linear(preset.width, width)
        )
        self.mask_tokens = nn.ParameterList(torch.zeros(1, 1, width) for _ in range(num_mask_tokens))
        self.video_mod_embed, self.img_mod_embed = (modality_vector(width, rope) for _ in range(2))
        self.predictor_blocks = Stack(Block(width, preset.predictor_num_heads) for _ in range(preset.predictor_depth))
        self.predictor_norm = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.predictor_proj = Linear(width, preset.latent_width)
        self.predictor_proj_context = Linear(width, preset.latent_width)
        initialize(self, self.predictor_blocks)

    def only_for(self, is_image: bool) -> list[nn.Parameter]:
        """Parameters that no clip of the other kind (one frame, or several) reaches."""
        vector = self.img_mod_embed if is_image else self.video_mod_embed
        return [] if vector is None else [vector]

    def forward(
        self, context: Tensor, context_indices: Tensor, target_indices: Tensor, grid: Grid,
        mask_token: int = 0, is_image: bool = False,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Predict the latents of target and context tokens.

        Args:
            context: (B, K, D) online encoder output on the context.
            context_indices: (B, K) their positions in ``grid``.
            target_indices: (B, K') positions to predict.
            grid: token grid of the clip.
            mask_token: which learned mask token stands for the targets.
            is_image: whether the clip has a single frame.

        Returns:
            Predictions of targets (B, K', D) and of context (B, K, D), not normalised.
        """
        (found,) = self.each([context], [context_indices], [target_indices], grid, [mask_token], is_image)
        return found

    def each(
        self, contexts: Sequence[Tensor], context_indices: Sequence[Tensor], target_indices: Sequence[Tensor],
        grid: Grid, mask_tokens: Sequence[int], is_image: bool = False,
    ) -> list[tuple[Tensor, Tensor]]:  # fmt: skip
        """As ``forward`` for each of several masks, in one packed pass: targets and context of each."""
        batch = contexts[0].shape[0]
        seen, asked = packing_of(context_indices), packing_of(target_indices)
        embedded = unpack(self.predictor_embed(pack(contexts)), seen)
        x = pack([
            torch.cat((own, self.mask_tokens[token].expand(batch, count, -1).to(own.dtype)), dim=1)
            for own, token, (_, count) in zip(embedded, mask_tokens, asked, strict=True)
        ])  # fmt: skip
        for vector in self.only_for(is_image):
            x = x + vector[0]
        head_dim = self.preset.predictor_width // self.preset.predictor_num_heads
        table = rope_table(self.rope, grid, head_dim, self.patch, x.device)
        positions = [torch.cat(both, dim=1) for both in zip(context_indices, target_indices, strict=True)]
        packing = packing_of(positions)
        x = self.predictor_blocks.last(x, pack([table[each] for each in positions]), packing)
        pieces = [
            both.split([own, count], dim=1)
            for both, (_, own), (_, count) in zip(unpack(self.predictor_norm(x), packing), seen, asked, strict=True)
        ]
        own = unpack(self.predictor_proj_context(pack([context for context, _ in pieces])), seen)
        hidden = unpack(self.predictor_proj(pack([target for _, target in pieces])), asked)
        return list(zip(hidden, own, strict=True))
