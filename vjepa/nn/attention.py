"""Softmax attention over one sequence a sample, or over packed sequences of several lengths."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Packing = tuple[tuple[int, int], ...]
"""What lies one after the other in a packed axis: (number of sequences, their length) of each group."""


def attend(query: Tensor, key: Tensor, value: Tensor, packing: Packing | None = None) -> Tensor:
    """Attend within each sequence.

    Args:
        query, key, value: (B, K, heads, d), or (P, heads, d) with a packing, P the sum of number times length.
        packing: groups of equally long sequences that share the axis of tokens; None: B sequences of K tokens.

    Returns:
        Same shape as ``query``.

    Every mask of a step keeps another number of tokens. Packed, everything but attention itself runs once for all of
    them, on tokens and nothing else: no sequence is padded.
    """
    if packing is None:
        query, key, value = (each.transpose(1, 2) for each in (query, key, value))
        return F.scaled_dot_product_attention(query, key, value).transpose(1, 2)
    counts = [number * length for number, length in packing]
    groups = zip(packing, *(each.split(counts) for each in (query, key, value)), strict=True)
    mixed = [attend(*(each.unflatten(0, size) for each in group)).flatten(0, 1) for size, *group in groups]
    return torch.cat(mixed) if len(mixed) > 1 else mixed[0]


def packing_of(indices: Sequence[Tensor]) -> Packing:
    """Packing of the tokens that (B, K) indices pick."""
    return tuple((each.shape[0], each.shape[1]) for each in indices)


def pack(groups: Sequence[Tensor]) -> Tensor:
    """Put (B, K, ...) groups one after the other: (P, ...)."""
    flat = [group.flatten(0, 1) for group in groups]
    return torch.cat(flat) if len(flat) > 1 else flat[0]


def unpack(packed: Tensor, packing: Packing) -> list[Tensor]:
    """Undo ``pack``: views (B, K, ...) of each group."""
    pieces = packed.split([number * length for number, length in packing])
    return [piece.unflatten(0, size) for piece, size in zip(pieces, packing, strict=True)]
