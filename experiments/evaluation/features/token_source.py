"""Clean features of one split through one encoder, as probes read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from experiments.evaluation.features.tables import MemoryTable, Table
from experiments.evaluation.views import ALL, View

_PIECE_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class TokenSource:
    """Features of n clips; parts of it share what they are kept in.

    Args:
        labels: (n, Q) int64, -1 where a task does not apply.
        index: (n,) int64 positions in the split.
        excluded: positions that were asked for and are missing, because their files are broken.
        pooled: means over space, float32, rows (T, C).
        tokens: rows (T, S, C); None where only means are kept.
        rows: (n,) int64 rows of both tables.
        view: channels that are read; its name is that of the subspace.
    """

    labels: Tensor
    index: Tensor
    excluded: Tensor
    pooled: Table
    tokens: Table | None
    rows: Tensor
    view: View = ALL

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """Channels of the view."""
        return self.view.select(torch.arange(self.pooled.row_shape[-1])).numel()

    @property
    def num_steps(self) -> int:
        """T."""
        return self.pooled.row_shape[0]

    @property
    def token_bytes(self) -> int:
        """Bytes of the tokens of one clip in float32."""
        shape = self.pooled.row_shape if self.tokens is None else self.tokens.row_shape
        return 4 * self.width * (1 if len(shape) == 2 else shape[1]) * shape[0]

    def time(self, chosen: Tensor | slice | None = None) -> Tensor:
        """Means over space, (b, T, C) float32 in memory; of all clips, or of some by number in [0, n)."""
        rows = self.rows if chosen is None else self.rows[chosen]
        return self.pooled.read(rows, self.view)

    def batch(self, chosen: Tensor | slice) -> Tensor:
        """Tokens of clips by number in [0, n), (b, T, S, C) floats as stored, maybe on the encoder's device.

        Raises:
            ValueError: only means were kept.
        """
        if self.tokens is None:
            raise ValueError("only the means over space of these clips were kept, not their tokens")
        return self.tokens.read(self.rows[chosen], self.view)

    def stream(self, order: Iterable[Tensor]) -> Iterator[Tensor]:
        """``batch`` of each of ``order``, the next one read while the last one is used."""
        if self.tokens is None or not self.tokens.reads_ahead:
            yield from map(self.batch, order)
            return
        with ThreadPoolExecutor(max_workers=1) as reader:
            coming: Future[Tensor] | None = None
            for chosen in order:
                current, coming = coming, reader.submit(self.batch, chosen)
                if current is not None:
                    yield current.result()
            if coming is not None:
                yield coming.result()

    def pieces(self, num_bytes: int) -> Iterator[slice]:
        """Divide the clips into runs of about 64 MiB.

        Args:
            num_bytes: of what is read of a clip.
        """
        step = max(1, _PIECE_BYTES // max(1, num_bytes))
        for start in range(0, len(self), step):
            yield slice(start, min(start + step, len(self)))

    def part(self, view: View) -> TokenSource:
        """The same clips through some of the channels of this source."""
        if isinstance(self.view.channels, slice) and self.view.channels == slice(None):
            return replace(self, view=view)
        numbers = self.view.select(torch.arange(self.pooled.row_shape[-1]))
        return replace(self, view=View(view.name, view.select(numbers)))

    def of_task(self, column: int) -> TokenSource:
        """The clips that have a label in ``column``."""
        keep = self.labels[:, column] >= 0
        if bool(keep.all()):
            return self
        return replace(self, labels=self.labels[keep], index=self.index[keep], rows=self.rows[keep])


def memory_source(tokens: Tensor, labels: Tensor, index: Tensor | None = None) -> TokenSource:
    """A source of features that are in memory already.

    Args:
        tokens: (n, T, S, C) floats.
        labels: (n, Q) int64.
        index: (n,) int64 positions in the split; None counts.
    """
    rows = torch.arange(len(tokens))
    pooled = MemoryTable(tokens.mean(dim=2, dtype=torch.float32))
    return TokenSource(labels, rows if index is None else index, rows[:0], pooled, MemoryTable(tokens), rows)
