"""The attentive classifier that the study puts on frozen tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


class StudyAttentiveProbe(nn.Module):
    """Self-attention over ``[cls; tokens]``, post-norm, and a linear map of the cls row.

    ``x = LN(x + MHA(x, x, x)); logits = Linear(x[cls])`` without positions. Only the cls row is read, so only its query
    is computed: one learned query makes the key projection a projection of that query, and attention weights sum to
    one, so tokens are never projected. Output and gradients are those of the full attention, in a fraction of its time.

    Args:
        width: E, channels of a token, divisible by ``num_heads``.
        num_classes: C.
        num_heads: heads of the attention.

    Raises:
        ValueError: the width does not divide into heads.

    Source: the study's probe on Diving-48, UCF-101 and, over a single mean vector, Something-Something V2; parameters
        have its names and initialisation.
    Differs: the bias of the keys, which a softmax cannot see, is kept for its name and never moves.
    """

    def __init__(self, width: int, num_classes: int, num_heads: int = 8) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f"width {width} is not divisible by {num_heads} heads")
        self.num_heads = num_heads
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.attn = nn.MultiheadAttention(width, num_heads, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Classify: (B, N, E) float -> (B, C)."""
        cls = self.cls_token[0]  # (1, E)
        query_weight, key_weight, value_weight = (
            part.unflatten(0, (self.num_heads, -1)) for part in self.attn.in_proj_weight.chunk(3)
        )  # (heads, E/heads, E)
        query_bias, _, value_bias = self.attn.in_proj_bias.unflatten(0, (3, self.num_heads, -1))
        query = (query_weight @ cls[0] + query_bias) * query_weight.shape[1] ** -0.5  # (heads, E/heads)
        probe = torch.einsum("hd,hde->he", query, key_weight)
        own = (cls @ probe.T).expand(len(tokens), -1)[..., None]  # (B, heads, 1)
        weights = torch.cat([own, probe @ tokens.transpose(1, 2)], dim=-1).softmax(dim=-1)  # (B, heads, 1 + N)
        mixed = weights[..., :1] * cls + weights[..., 1:] @ tokens  # (B, heads, E)
        value = torch.einsum("bhe,hde->bhd", mixed, value_weight) + value_bias
        attended = linear(value.flatten(1), self.attn.out_proj.weight, self.attn.out_proj.bias)
        logits: Tensor = self.head(self.norm(cls + attended))
        return logits
