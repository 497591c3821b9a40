"""Attentive pooling with a learned query, several independently trained copies side by side."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LAYER_NORM_EPS = 1e-6


class AttentiveProbes(nn.Module):
    """G attentive classifiers that read the same tokens.

    Each is ``q = query + CrossAttn(query, LN(x)); q = q + Mlp(LN(q)); logits = Linear(LN(q))``. Every parameter
    has a leading axis of G members that share nothing, so one pass trains all of them. A single query makes the
    key projection a projection of the query, and attention weights sum to one, so tokens are never projected to
    keys or values: scores are ``x . (Wk' q)`` and values are projected after pooling.

    Args:
        num_members: G.
        width: E, channels of a token, divisible by ``num_heads``.
        num_classes: C.
        num_heads: heads of the cross-attention.
        mlp_ratio: hidden width of the residual MLP over ``width``; 0 leaves the MLP out.
        generator: source of the initial weights, equal for all members; None takes the global one.

    A training that keeps the memory of its gradients sets ``overwrites_gradients``: the larger ones are then written
    over ``.grad``, which must be there, and no graph reaches those parameters (``written``).

    Source: the attentive probe of V-JEPA (arXiv 2404.08471), one cross-attention block.
    Differs: no bias on keys (softmax cannot see it) and a final LayerNorm.
    """

    def __init__(
        self,
        num_members: int,
        width: int,
        num_classes: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.overwrites_gradients = False
        if width % num_heads:
            raise ValueError(f"width {width} is not divisible by {num_heads} heads")
        self.num_heads, self.mlp_ratio = num_heads, mlp_ratio
        hidden = int(width * mlp_ratio)

        def weight(*shape: int) -> nn.Parameter:
            draw = torch.empty(shape)
            nn.init.trunc_normal_(draw, std=0.02, generator=generator)
            return nn.Parameter(draw.expand(num_members, *shape).clone())

        def constant(value: float, size: int) -> nn.Parameter:
            return nn.Parameter(torch.full((num_members, size), value))

        self.query = weight(width)
        self.norm_tokens_weight, self.norm_tokens_bias = constant(1.0, width), constant(0.0, width)
        self.key = weight(width, width)
        self.query_proj, self.query_bias = weight(width, width), constant(0.0, width)
        self.value, self.value_bias = weight(width, width), constant(0.0, width)
        self.proj, self.proj_bias = weight(width, width), constant(0.0, width)
        self.has_mlp = hidden > 0
        if self.has_mlp:
            self.norm_mlp_weight, self.norm_mlp_bias = constant(1.0, width), constant(0.0, width)
            self.fc1, self.fc1_bias = weight(width, hidden), constant(0.0, hidden)
            self.fc2, self.fc2_bias = weight(hidden, width), constant(0.0, width)
        self.norm_out_weight, self.norm_out_bias = constant(1.0, width), constant(0.0, width)
        self.head, self.head_bias = weight(width, num_classes), constant(0.0, num_classes)

    @property
    def written(self) -> tuple[nn.Parameter, ...]:
        """Parameters of which ``overwrites_gradients`` writes the gradients: all affine maps but keys and values."""
        names = ["query_proj", "query_bias", "proj", "proj_bias", "head", "head_bias"]
        names += ["fc1", "fc1_bias", "fc2", "fc2_bias"] if self.has_mlp else []
        return tuple(self.get_parameter(name) for name in names)

    def some(self, members: slice) -> AttentiveProbes:
        """A copy of some of the members."""
        parts = {name: value[members] for name, value in self.state_dict().items()}
        width, num_classes = self.head.shape[1:]
        count = len(parts["head"])
        alone = AttentiveProbes(count, width, num_classes, self.num_heads, self.mlp_ratio, torch.Generator())
        alone.load_state_dict(parts)
        return alone

    @staticmethod
    def normalise(tokens: Tensor) -> Tensor:
        """Apply the part of the LayerNorm that all members share: (..., E) -> (..., E) float32, no gain."""
        return F.layer_norm(tokens.float(), tokens.shape[-1:], eps=LAYER_NORM_EPS)

    def forward(self, normed: Tensor) -> Tensor:
        """Classify.

        Args:
            normed: (B, N, E) tokens after ``normalise``.

        Returns:
            (G, B, C) logits.
        """
        pooled = self._attend(normed)  # (G, B, E)
        x = self.query[:, None] + self._affine(pooled, self.proj, self.proj_bias)
        if self.has_mlp:
            hidden = self._affine(_norm(x, self.norm_mlp_weight, self.norm_mlp_bias), self.fc1, self.fc1_bias)
            x = x + self._affine(F.gelu(hidden), self.fc2, self.fc2_bias)
        return self._affine(_norm(x, self.norm_out_weight, self.norm_out_bias), self.head, self.head_bias)

    def _affine(self, x: Tensor, weight: nn.Parameter, bias: nn.Parameter) -> Tensor:
        if self.overwrites_gradients:
            found: Tensor = _WritingAffine.apply(x, weight, bias)  # type: ignore[no-untyped-call]
            return found
        return torch.baddbmm(bias[:, None], x, weight)

    def attention(self, normed: Tensor) -> Tensor:
        """How much each head looks at each token.

        Args:
            normed: (B, N, E) tokens after ``normalise``.

        Returns:
            (G, B, heads, N), >= 0; sums over N are 1.
        """
        return self._weights(normed).unflatten(1, (-1, self.num_heads)).transpose(0, 1)

    def _weights(self, normed: Tensor) -> Tensor:
        """Attention of all heads of all members, (B, G*heads, N)."""
        head_width = self.query.shape[1] // self.num_heads
        query = self._affine(self.query[:, None], self.query_proj, self.query_bias)[:, 0]
        query = query.unflatten(1, (self.num_heads, head_width)) * head_width**-0.5
        key = self.key.unflatten(2, (self.num_heads, head_width))  # (G, E, heads, E/heads)
        probe = torch.einsum("gehd,ghd->ghe", key, query) * self.norm_tokens_weight[:, None]
        scores = probe.flatten(0, 1) @ normed.transpose(1, 2)  # (B, G*heads, N)
        return scores.softmax(-1)

    def _attend(self, normed: Tensor) -> Tensor:
        mixed = self._weights(normed) @ normed  # (B, G*heads, E)
        mixed = mixed.unflatten(1, (-1, self.num_heads)).permute(1, 2, 0, 3)  # (G, heads, B, E)
        mixed = mixed * self.norm_tokens_weight[:, None, None] + self.norm_tokens_bias[:, None, None]
        value = self.value.unflatten(2, (self.num_heads, -1)).transpose(1, 2)  # (G, heads, E, E/heads)
        pooled = (mixed @ value).permute(0, 2, 1, 3).flatten(2)  # (G, B, E)
        return pooled + self.value_bias[:, None]


class _WritingAffine(torch.autograd.Function):
    """``x @ weight + bias`` (G, B, D) of each member; gradients of both parameters are written over ``.grad``.

    Returning them costs an allocation as large as the weights and a copy at every step.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: nn.Parameter, bias: nn.Parameter) -> Tensor:
        ctx.save_for_backward(x)
        ctx.parameters = weight, bias
        return torch.baddbmm(bias[:, None], x, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (x,), (weight, bias), (gradient,) = ctx.saved_tensors, ctx.parameters, gradients
        torch.bmm(x.transpose(1, 2), gradient, out=weight.grad)
        torch.sum(gradient, 1, out=bias.grad)
        return torch.bmm(gradient, weight.transpose(1, 2)), None, None


def _norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], eps=LAYER_NORM_EPS) * weight[:, None] + bias[:, None]
