"""Rows of a feature file that is mapped into memory and leaves none of its pages there."""

from __future__ import annotations

import fcntl
import mmap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data_modules.clips.broken import BrokenFile
from experiments.evaluation.features.feature_file import Footer
from experiments.evaluation.features.tables import Kept, Table
from experiments.evaluation.views import ALL, View

RESIDENT_BYTES = 64 * 2**20
"""Most bytes of pages that stay in memory between two reads; the system's own cache keeps what it has room for."""


class MappedTable(Table):
    """Rows of a finished feature file.

    The file stays usable when it is removed, and is marked as in use for as long as this object lives.

    Args:
        path: of the file.
        footer: of the file.
        kept: channels that it holds; None for all.
    """

    def __init__(self, path: Path, footer: Footer, kept: Kept | None = None) -> None:
        layout = footer.layout
        self.path = path
        self.broken: Mapping[int, BrokenFile] = footer.broken
        self._file = path.open("rb")  # stays open for its lock
        share(self._file.fileno())
        self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        count = layout.num_bytes // np.dtype(layout.dtype).itemsize
        self._rows = np.frombuffer(self._map, layout.dtype, count).reshape(layout.shape)
        self._row_bytes = layout.row_bytes
        self._kept = kept or Kept(layout.shape[-1])
        self._touched = 0

    @property
    def row_shape(self) -> tuple[int, ...]:
        return (*self._rows.shape[1:-1], self._kept.total)

    def read(self, rows: Tensor, view: View = ALL) -> Tensor:
        view = self._kept.locate(view)
        step = max(1, RESIDENT_BYTES // max(1, self._row_bytes))
        if len(rows) <= step:
            return self._read(rows, view)
        first = self._read(rows[:step], view)
        found = first.new_empty(len(rows), *first.shape[1:])
        found[:step] = first
        for start in range(step, len(rows), step):
            found[start : start + step] = self._read(rows[start : start + step], view)
        return found

    def _read(self, rows: Tensor, view: View) -> Tensor:
        if isinstance(view.channels, slice):
            found = torch.from_numpy(self._rows[rows.numpy(), ..., view.channels])
        else:
            found = view.select(torch.from_numpy(self._rows[rows.numpy()]))
        self._touched += len(rows) * self._row_bytes
        if self._touched >= RESIDENT_BYTES:
            self._map.madvise(mmap.MADV_DONTNEED)
            self._touched = 0
        return found


def share(descriptor: int) -> None:
    """Mark an open file as in use, where the file system knows locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return


def is_in_use(path: Path) -> bool:
    """Whether any process has marked a file as in use."""
    try:
        with open(path, "rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
