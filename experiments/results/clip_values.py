"""One measured number for each clip, as Parquet: what per-clip statistics of label-free metrics are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from experiments.results.row_groups import Where, constant_columns, read_row_groups, write_row_groups
from experiments.results.rows import RowStamp

_IDENTITY = ("benchmark", "subspace", "metric", "corruption", "severity")


@dataclass(frozen=True)
class ClipValues:
    """A metric of one subspace of one encoder under one condition, clip by clip.

    Args:
        stamp: the encoder.
        benchmark: name of the data set.
        subspace, metric, corruption, severity: as in ``Row``.
        index: (n,) int64 positions in the split.
        video_ids: n names.
        values: (n,) float32.
    """

    stamp: RowStamp
    benchmark: str
    subspace: str
    metric: str
    corruption: str
    severity: int
    index: np.ndarray
    video_ids: tuple[str, ...]
    values: np.ndarray


def write_clip_values(path: Path, blocks: Sequence[ClipValues]) -> None:
    """Write blocks, one row group each, the whole file or nothing; no blocks, no file."""
    if not blocks:
        return
    write_row_groups(path, map(_table, blocks))


def read_clip_values(path: Path, where: Where | None = None) -> list[ClipValues]:
    """Read what ``write_clip_values`` wrote.

    Args:
        path: of the file.
        where: wanted values by identity column, for example ``{"metric": ("centred_drift",)}``; blocks of others are
            never loaded. None reads all.

    Raises:
        UserError: the file is missing or no such Parquet file.
    """
    names = (*_IDENTITY, "index", "video_id", "value")
    return [_block(table) for table in read_row_groups(path, "values of clips", names, where)]


def _table(block: ClipValues) -> pa.Table:
    n = len(block.video_ids)
    constants: dict[str, Any] = {**asdict(block.stamp), **{name: getattr(block, name) for name in _IDENTITY}}
    columns = constant_columns(constants, n)
    columns["index"] = pa.array(block.index, pa.int64())
    columns["video_id"] = pa.array(block.video_ids, pa.string())
    columns["value"] = pa.array(block.values, pa.float32())
    return pa.table(columns)


def _block(table: pa.Table) -> ClipValues:
    def first(name: str) -> Any:
        return table.column(name)[0].as_py()

    return ClipValues(
        stamp=RowStamp(**{name: first(name) for name in RowStamp.__dataclass_fields__}),
        **{name: first(name) for name in _IDENTITY},
        index=np.asarray(table.column("index").to_numpy()),
        video_ids=tuple(table.column("video_id").to_pylist()),
        values=np.asarray(table.column("value").to_numpy()),
    )
