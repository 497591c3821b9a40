"""Standardised flat features: in memory where they fit, else cut out of the source again at each pass."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from experiments.evaluation.encoded import Pooled
from experiments.evaluation.features.token_source import TokenSource
from experiments.probes.labelled import Reads, pool
from vjepa.errors import UserError

MEMORY_LIMIT = 2**30
"""Most bytes of features that are held."""

_SMALLEST = 1e-6
"""Share of the largest scale below which a feature counts as one that never changes."""


class Standardised:
    """``(x - mean) / scale`` of all clips of a source, as pairs of a slice of the clips and their (b, d) features.

    Args:
        source: n clips.
        reads: ``time`` or ``mean``.
        mean, scale: (d,).
        device: to put them on.
    """

    def __init__(self, source: TokenSource, reads: Reads, mean: Tensor, scale: Tensor, device: torch.device) -> None:
        self._source = source
        self._reads = reads
        self._device = device
        self.mean, self.scale = mean, scale
        self._held: Tensor | None = None
        if 4 * len(source) * self.width <= MEMORY_LIMIT:
            self._held = torch.cat([part for _, part in self])

    @property
    def width(self) -> int:
        """d."""
        return len(self.mean)

    def __iter__(self) -> Iterator[tuple[slice, Tensor]]:
        if self._held is not None:
            yield slice(0, len(self._held)), self._held
            return
        for piece, part in flat_pieces(self._source, self._reads, self._device):
            yield piece, part.sub_(self.mean).div_(self.scale)


def flat_pieces(source: TokenSource, reads: Reads, device: torch.device) -> Iterator[tuple[slice, Tensor]]:
    """Flat features of runs of clips; each is the caller's to change."""
    for piece in source.pieces(4 * source.num_steps * source.width):
        yield piece, pool(Pooled(source.time(piece)), reads).to(device)


def standardise(source: TokenSource, reads: Reads, device: torch.device) -> Standardised:
    """Standardise a source by itself.

    Raises:
        UserError: a feature is infinite or NaN.
    """
    count, mean, square = 0, torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for _, part in flat_pieces(source, reads, device):
        # Sums of squares about the mean are merged (Chan et al. 1983): a raw sum of squares would cancel.
        wide = part.double()
        own = wide.mean(0)
        total = count + len(part)
        offset = own - mean.to(device)
        square = square.to(device) + (wide - own).square().sum(0) + offset.square() * (count * len(part) / total)
        mean = mean.to(device) + offset * (len(part) / total)
        count = total
    scale = (square / count).sqrt()
    if not bool(torch.isfinite(scale).all()):
        raise UserError("a probe was given infinite or NaN features: the encoder has diverged")
    # A dimension that never changes says nothing: leave it at zero instead of dividing by zero.
    scale = torch.where(scale > _SMALLEST * scale.max().clamp_min(1e-30), scale, torch.ones_like(scale))
    return Standardised(source, reads, mean.float(), scale.float(), device)
