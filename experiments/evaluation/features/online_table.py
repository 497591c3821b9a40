"""Tokens that are made again whenever they are read, for when there is no room to keep them."""

from __future__ import annotations

import torch
from torch import Tensor

from data_modules.clips.datasets import ClipDataset
from experiments.evaluation.encoded import encode
from experiments.evaluation.encoders import FrozenEncoder
from experiments.evaluation.features.mapped_table import MappedTable
from experiments.evaluation.features.reading import changed
from experiments.evaluation.features.tables import Table
from experiments.evaluation.views import View


class OnlineTable(Table):
    """Decodes and encodes; values are rounded as if they had been kept.

    Args:
        encoder: frozen.
        dataset: the split.
        positions: (n,) int64 of the rows in it.
        row_shape: (T, S, C).
        frames: rows of decoded clips (F, H_px, W_px, 3) uint8; None decodes again.
        batch_size: most clips a forward pass.
    """

    def __init__(
        self,
        encoder: FrozenEncoder,
        dataset: ClipDataset,
        positions: Tensor,
        row_shape: tuple[int, ...],
        frames: MappedTable | None,
        batch_size: int,
    ) -> None:
        self._encoder = encoder
        self._dataset = dataset
        self._positions = positions
        self._row_shape = row_shape
        self._frames = frames
        self._batch_size = batch_size

    @property
    def row_shape(self) -> tuple[int, ...]:
        return self._row_shape

    def read(self, rows: Tensor, view: View) -> Tensor:
        parts = [
            view.select(encode(self._encoder, self._clips(some)).tokens).half() for some in rows.split(self._batch_size)
        ]
        return torch.cat(parts)

    def _clips(self, rows: Tensor) -> Tensor:
        if self._frames is not None:
            return self._frames.read(rows)
        positions = self._positions[rows]
        clip = self._dataset.fetch(positions)
        if len(clip) < len(rows):
            raise changed(self._dataset, int(positions[~torch.isin(positions, clip.index)][0]))
        return clip.frames
