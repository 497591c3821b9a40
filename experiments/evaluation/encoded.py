"""What an encoder has made of a batch of clips, with its pools, for the whole and for parts of the channels."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor, nn

from experiments.evaluation.encoders import FrozenEncoder
from experiments.evaluation.views import View


class Encoded:
    """Tokens of a batch; pools are made once, when first asked for.

    Args:
        tokens: (B, T, S, C) floats.
    """

    def __init__(self, tokens: Tensor) -> None:
        self._tokens = tokens

    @property
    def tokens(self) -> Tensor:
        """(B, T, S, C)."""
        return self._tokens

    @cached_property
    def time(self) -> Tensor:
        """Mean over space, (B, T, C) float32."""
        return self.tokens.mean(dim=2, dtype=torch.float32)

    @cached_property
    def mean(self) -> Tensor:
        """Mean over all tokens, (B, C) float32; blind to order."""
        return self.time.mean(dim=1)

    def part(self, view: View) -> Encoded:
        """The same clips through some of the channels."""
        return _Part(self, view)

    def first_of(self, num_views: int) -> Encoded:
        """The first view of each video, of clips that are ``num_views`` views of each one after the other."""
        return self if num_views == 1 else _FirstViews(self, num_views)

    def __len__(self) -> int:
        return len(self.time)


class _Part(Encoded):
    """Channels of an ``Encoded``, cut out of each pool when that is asked for."""

    def __init__(self, whole: Encoded, view: View) -> None:
        self._whole, self._view = whole, view

    @cached_property
    def tokens(self) -> Tensor:  # type: ignore[override]
        return self._view.select(self._whole.tokens)

    @cached_property
    def time(self) -> Tensor:
        return self._view.select(self._whole.time)

    @cached_property
    def mean(self) -> Tensor:
        return self._view.select(self._whole.mean)


class _FirstViews(Encoded):
    """Every V-th clip of an ``Encoded``."""

    def __init__(self, whole: Encoded, num_views: int) -> None:
        self._whole, self._num_views = whole, num_views

    @cached_property
    def tokens(self) -> Tensor:  # type: ignore[override]
        return self._whole.tokens[:: self._num_views]

    @cached_property
    def time(self) -> Tensor:
        return self._whole.time[:: self._num_views]


class Pooled(Encoded):
    """Clips of which only the means over space were kept.

    Args:
        time: (B, T, C) floats.
    """

    def __init__(self, time: Tensor) -> None:
        self._time = time

    @property
    def tokens(self) -> Tensor:
        raise ValueError("only the means over space of these clips were kept, not their tokens")

    @cached_property
    def time(self) -> Tensor:
        return self._time.float()


def encode(encoder: FrozenEncoder, frames: Tensor) -> Encoded:
    """Run an encoder on its own device.

    Args:
        encoder: frozen.
        frames: (B, F, H_px, W_px, 3) uint8 on any device.

    Returns:
        Its tokens, float32, on the encoder's device.

    Raises:
        ValueError: the encoder returns another shape or no floats.
    """
    if isinstance(encoder, nn.Module):
        weights = next(encoder.parameters(), None)
        if weights is not None:
            frames = frames.to(weights.device)
    with torch.inference_mode():
        tokens = encoder(frames)
    if tokens.ndim != 4 or not tokens.is_floating_point():
        raise ValueError(f"an encoder must return (B, T, S, C) floats, got {tokens.dtype} {tuple(tokens.shape)}")
    return Encoded(tokens.float())
