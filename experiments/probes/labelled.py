"""What a probe is fitted on and judged by: features of clips that all have a label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from experiments.evaluation.encoded import Encoded, Pooled
from experiments.evaluation.features.token_source import TokenSource

Reads = Literal["tokens", "time", "mean"]
"""What a probe reads of a clip: all tokens, the means over space, or the mean over everything."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Clips of one split with their classes.

    Args:
        source: n clips.
        labels: (n,) int64 in [0, C).
    """

    source: TokenSource
    labels: Tensor


def pool(encoded: Encoded, reads: Reads) -> Tensor:
    """Flat means on the CPU: (B, T*C) for ``time``, (B, C) for ``mean``, float32."""
    return (encoded.time.flatten(1) if reads == "time" else encoded.mean).float().cpu()


def follow(module: nn.Module, tokens: Tensor) -> None:
    """Move a probe to where the tokens are, which are much larger."""
    weights = next(module.parameters())
    if weights.device != tokens.device:
        module.to(tokens.device)


def predict(logits: Callable[[Encoded], Tensor], reads: Reads, source: TokenSource) -> Tensor:
    """What a probe says of every clip of a source.

    Args:
        logits: from a batch to (B, ..., C).
        reads: what it reads.
        source: n clips.

    Returns:
        (n, ..., C), joined along the first axis.
    """
    if reads == "tokens":
        pieces = list(source.pieces(source.token_bytes))
        numbers = torch.arange(len(source))
        return torch.cat([logits(Encoded(tokens)) for tokens in source.stream(numbers[piece] for piece in pieces)])
    pieces = list(source.pieces(4 * source.num_steps * source.width))
    return torch.cat([logits(Pooled(source.time(piece))) for piece in pieces])
