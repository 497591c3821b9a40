"""The video transformer of V-JEPA 2.1 and 2: tubelet and image embeddings, rotary blocks, four normed levels.

Legend: B batch, F frames, T time steps, H, W token grid, N = T*H*W, K kept tokens, P packed tokens, E width, L levels,
D = L*E.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor, nn

from vjepa.grid import Grid, gather_tokens
from vjepa.layout import NUM_LEVELS
from vjepa.nn.attention import pack, packing_of, unpack
from vjepa.nn.blocks import LAYER_NORM_EPS, Block, Stack, initialize, modality_vector
from vjepa.nn.linear import affine
from vjepa.nn.presets import Preset, level_blocks, preset
from vjepa.nn.rope import Rope, rope_table

ALL_LEVELS = tuple(range(NUM_LEVELS))


class PatchEmbed(nn.Module):
    """Strided convolution over tubelets, computed as a linear map of the tubelets that are kept.

    Args:
        width: E.
        tubelet: frames of a tubelet.
        patch: side of a patch in pixels.
    """

    def __init__(self, width: int, tubelet: int, patch: int) -> None:
        super().__init__()
        self.tubelet, self.patch = tubelet, patch
        self.proj = nn.Conv3d(3, width, (tubelet, patch, patch), (tubelet, patch, patch))

    def forward(self, pixels: Tensor, indices: Sequence[Tensor] | None = None) -> Tensor:
        """(B, 3, F, H_px, W_px) -> (B, N, E), or packed (P, E) for the tokens in each ``indices`` (B, K)."""
        patches = rearrange(
            pixels,
            "b c (t u) (h p) (w q) -> b (t h w) (c u p q)",
            u=self.tubelet, p=self.patch, q=self.patch,
        )  # fmt: skip
        if indices is not None:
            patches = pack([gather_tokens(patches, kept) for kept in indices])
        return affine(patches, self.proj.weight.flatten(1), self.proj.bias)


class Encoder(nn.Module):
    """Video transformer whose four levels are concatenated for training.

    A clip of one frame takes the image embedding and modality vector, any other the video ones.

    Args:
        preset: sizes.
        patch: patch side in pixels.
        tubelet: frames a time step.
        rope: ``v2_1``; or ``v2``, the encoder of V-JEPA 2, which has neither image embedding nor modality vectors.

    Source: V-JEPA 2.1 path of the study (ViT with 3D RoPE, ``interpolate_rope``).
    """

    def __init__(self, preset: Preset, patch: int = 16, tubelet: int = 2, rope: Rope = "v2_1") -> None:
        super().__init__()
        self.preset, self.patch, self.tubelet, self.rope = preset, patch, tubelet, rope
        width = preset.width
        self.patch_embed = PatchEmbed(width, tubelet, patch)
        self.patch_embed_img = PatchEmbed(width, 1, patch) if rope == "v2_1" else None
        self.video_mod_embed, self.img_mod_embed = (modality_vector(width, rope) for _ in range(2))
        self.blocks = Stack(Block(width, preset.num_heads, preset.mlp_ratio) for _ in range(preset.depth))
        self.norms_block = nn.ModuleList(nn.LayerNorm(width, eps=LAYER_NORM_EPS) for _ in range(NUM_LEVELS))
        initialize(self, self.blocks)

    def only_for(self, is_image: bool) -> list[nn.Parameter]:
        """Parameters that no clip of the other kind (one frame, or several) reaches."""
        embed, vector = self._embeddings(is_image)
        return [*(() if embed is None else embed.parameters()), *(() if vector is None else (vector,))]

    def _embeddings(self, is_image: bool) -> tuple[PatchEmbed | None, nn.Parameter | None]:
        return (self.patch_embed_img, self.img_mod_embed) if is_image else (self.patch_embed, self.video_mod_embed)

    def grid(self, pixels: Tensor) -> Grid:
        """Token grid of a clip (B, 3, F, H_px, W_px).

        Raises:
            ValueError: frames or sides are no multiple of tubelet or patch, or ``v2`` is given a single frame.
        """
        _, _, frames, height, width = pixels.shape
        one_frame = frames == 1 and self.patch_embed_img is not None
        if (frames % self.tubelet and not one_frame) or height % self.patch or width % self.patch:
            raise ValueError(
                f"clip of {frames} frames, {height}x{width} px: expected "
                f"{'' if self.patch_embed_img is None else '1 frame or '}a multiple of the tubelet "
                f"({self.tubelet}), and sides that are multiples of the patch ({self.patch})"
            )
        time = 1 if one_frame else frames // self.tubelet
        return Grid(time, height // self.patch, width // self.patch)

    def _taps(self, pixels: Tensor, indices: Sequence[Tensor] | None, levels: tuple[int, ...]) -> Tensor:
        """Run the blocks; return the chosen normed levels side by side, packed where there are indices."""
        grid, head_dim = self.grid(pixels), self.preset.width // self.preset.num_heads
        embed, vector = self._embeddings(pixels.shape[2] == 1)
        assert embed is not None  # grid has refused a single frame
        table = rope_table(self.rope, grid, head_dim, self.patch, pixels.device)
        packing = None
        if indices is not None:
            table, packing = pack([table[kept] for kept in indices]), packing_of(indices)
        x = embed(pixels, indices)
        if vector is not None:
            x = x + vector[0]
        level_after = {block: level for level, block in enumerate(level_blocks(self.preset.depth))}
        taps = []
        for number, found in enumerate(self.blocks(x, table, packing)):
            level = level_after.get(number)
            if level in levels:
                taps.append(self.norms_block[level](found))
        return torch.cat(taps, dim=-1) if len(taps) > 1 else taps[0]

    def forward(self, pixels: Tensor, indices: Tensor | None = None) -> Tensor:
        """Encode for evaluation: the last level.

        Args:
            pixels: (B, 3, F, H_px, W_px), normalised.
            indices: (B, K) tokens to keep; all of them if None.

        Returns:
            (B, K, E).
        """
        return self._all_or_some(pixels, indices, (NUM_LEVELS - 1,))

    def levels(self, pixels: Tensor, indices: Tensor | None = None) -> Tensor:
        """Encode for training: all levels concatenated, shallow first; (B, K, D)."""
        return self._all_or_some(pixels, indices, ALL_LEVELS)

    def levels_of_each(self, pixels: Tensor, indices: Sequence[Tensor]) -> list[Tensor]:
        """As ``levels`` for each of several ``indices`` (B, K_m), in one packed pass: (B, K_m, D) each."""
        return unpack(self._taps(pixels, indices, ALL_LEVELS), packing_of(indices))

    def _all_or_some(self, pixels: Tensor, indices: Tensor | None, levels: tuple[int, ...]) -> Tensor:
        if indices is None:
            return self._taps(pixels, None, levels)
        return self._taps(pixels, [indices], levels).unflatten(0, indices.shape)


def initial_encoder(size: str, patch: int, tubelet: int, rope: Rope, seed: int) -> Encoder:
    """The encoder of a seed before training: the same weights in every run of the seed, whatever else it trains."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Encoder(preset(size), patch, tubelet, rope)
