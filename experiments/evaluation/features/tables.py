"""Features by row number, whatever they are kept in: memory, a mapped file, or nothing but the encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from experiments.evaluation.views import View


@dataclass(frozen=True)
class Kept:
    """Which channels of a representation a table holds.

    Args:
        total: C, channels of the representation.
        channels: (k,) int64, ascending; None holds all.
    """

    total: int
    channels: Tensor | None = None

    @classmethod
    def of(cls, total: int, views: Sequence[View] | None) -> Kept:
        """All channels that any of the views reads; of all of them for None."""
        if views is None:
            return cls(total)
        numbers = torch.arange(total)
        read = torch.cat([view.select(numbers) for view in views]).unique()
        return cls(total, None if len(read) == total else read)

    @property
    def width(self) -> int:
        """Channels held."""
        return self.total if self.channels is None else len(self.channels)

    def cut(self, features: Tensor) -> Tensor:
        """What is held of (..., C)."""
        if self.channels is None:
            return features
        return View("held", self.channels).select(features)

    def locate(self, view: View) -> View:
        """The same channels, counted among those that are held.

        Raises:
            ValueError: some are not held.
        """
        if self.channels is None:
            return view
        wanted = view.select(torch.arange(self.total))
        places = torch.searchsorted(self.channels, wanted).clamp_max(len(self.channels) - 1)
        if not torch.equal(self.channels[places], wanted):
            raise ValueError(f"the channels of view {view.name!r} were not kept: name it when the source is made")
        first, last = int(places[0]), int(places[-1])
        if torch.equal(places, torch.arange(first, last + 1)):
            return View(view.name, slice(first, last + 1))
        return View(view.name, places)


class Table(ABC):
    """Features of n clips, one row each."""

    reads_ahead = True
    """Whether reading takes so long that a consumer should ask for the next rows in time."""

    @property
    @abstractmethod
    def row_shape(self) -> tuple[int, ...]:
        """Shape of a row of the whole representation, C last."""

    @abstractmethod
    def read(self, rows: Tensor, view: View) -> Tensor:
        """Rows by number, in any order: (b,) int64 -> (b, ..., k) floats, k channels of the view."""


class MemoryTable(Table):
    """Rows in memory.

    Args:
        values: (n, ..., k) floats.
        kept: channels that these are; None for all.
    """

    reads_ahead = False

    def __init__(self, values: Tensor, kept: Kept | None = None) -> None:
        self._values = values
        self._kept = kept or Kept(values.shape[-1])

    @property
    def row_shape(self) -> tuple[int, ...]:
        return (*self._values.shape[1:-1], self._kept.total)

    def read(self, rows: Tensor, view: View) -> Tensor:
        view = self._kept.locate(view)
        if isinstance(view.channels, slice):
            return view.select(self._values)[rows]
        return view.select(self._values[rows])
