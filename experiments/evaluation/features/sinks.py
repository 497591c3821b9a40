"""Where extraction puts the features of each chunk: into memory, or into a file that processes share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from data_modules.clips.broken import BrokenFile
from experiments.evaluation.encoded import Encoded
from experiments.evaluation.features.feature_file import FileInMaking
from experiments.evaluation.features.tables import Kept

Broken = Mapping[int, BrokenFile]
"""By row, the files that could not be read."""
Make = Callable[[Tensor, Encoded | None], Tensor]
"""From uint8 frames and what the encoder made of them to the rows that are kept."""


def means(frames: Tensor, encoded: Encoded | None) -> Tensor:
    """(b, T, C) float32."""
    assert encoded is not None
    return encoded.time


def tokens_of(kept: Kept) -> Make:
    """(b, T, S, k) float16."""

    def make(frames: Tensor, encoded: Encoded | None) -> Tensor:
        assert encoded is not None
        return kept.cut(encoded.tokens).half()

    return make


def just_frames(frames: Tensor, encoded: Encoded | None) -> Tensor:
    """(b, F, H_px, W_px, 3) uint8."""
    return frames


class Sink(ABC):
    """Takes the rows of each chunk once.

    Args:
        row_shape: of a row.
        dtype: of the rows.
        make: what is kept of a batch.
        needs_encoder: whether that is made of tokens.
    """

    def __init__(self, row_shape: tuple[int, ...], dtype: torch.dtype, make: Make, needs_encoder: bool = True) -> None:
        self._row_shape = row_shape
        self._dtype = dtype
        self.make = make
        self.needs_encoder = needs_encoder

    @property
    @abstractmethod
    def done(self) -> Mapping[int, Broken]:
        """Chunks that need no more work, with the broken rows of each."""

    def put(self, chunk: int, made: Tensor | None, present: Tensor, broken: Broken) -> None:
        """Keep the rows of a chunk; those of broken files are zeros.

        Args:
            chunk: its number.
            made: (b, ...) on the CPU, of the clips that could be read; None if there are none.
            present: (m,) bool with b true, m rows of the chunk.
            broken: the files of the others.
        """
        if made is None or not bool(present.all()):
            rows = torch.zeros(len(present), *self._row_shape, dtype=self._dtype)
            if made is not None:
                rows[present] = made
            made = rows
        self._put(chunk, made, broken)

    @abstractmethod
    def _put(self, chunk: int, rows: Tensor, broken: Broken) -> None: ...


class MemorySink(Sink):
    """Keeps rows in memory.

    Args:
        num_rows: of all chunks.
        row_shape, dtype, make: as ``Sink``.
        chunk_rows: rows of a chunk; the last may have fewer.
    """

    def __init__(
        self, num_rows: int, row_shape: tuple[int, ...], dtype: torch.dtype, make: Make, chunk_rows: int
    ) -> None:
        super().__init__(row_shape, dtype, make)
        self.values = torch.empty(num_rows, *row_shape, dtype=dtype)
        self._chunk_rows = chunk_rows
        self._done: dict[int, Broken] = {}

    @property
    def done(self) -> Mapping[int, Broken]:
        return self._done

    def _put(self, chunk: int, rows: Tensor, broken: Broken) -> None:
        start = chunk * self._chunk_rows
        self.values[start : start + len(rows)] = rows
        self._done[chunk] = broken


class FileSink(Sink):
    """Writes rows into a feature file that several processes fill.

    Args:
        file: created by the first process.
        dtype, make, needs_encoder: as ``Sink``.
        rank: of this process.
    """

    def __init__(
        self, file: FileInMaking, dtype: torch.dtype, make: Make, rank: int, needs_encoder: bool = True
    ) -> None:
        super().__init__(file.layout.shape[1:], dtype, make, needs_encoder)
        self.file = file
        self._rank = rank
        self._done = {number: chunk.broken for number, chunk in file.finished().items()}

    @property
    def done(self) -> Mapping[int, Broken]:
        return self._done

    def _put(self, chunk: int, rows: Tensor, broken: Broken) -> None:
        self.file.write(chunk, rows.numpy(), broken, self._rank)
        self._done[chunk] = broken
