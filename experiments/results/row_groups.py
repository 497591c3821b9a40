"""Parquet files of per-clip numbers: one row group for each (encoder, condition), whose identity is constant in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from vjepa.errors import UserError
from vjepa.storage import atomic_path

Where = Mapping[str, Collection[int | str]]
"""Wanted values of identity columns; a column that is not named may hold anything."""


def constant_columns(identity: Mapping[str, int | str], n: int) -> dict[str, pa.Array]:
    """Columns that say the same in each of n rows."""
    return {
        name: pa.array([value] * n, pa.int64() if isinstance(value, int) else pa.string())
        for name, value in identity.items()
    }


def write_row_groups(path: Path, tables: Iterator[pa.Table]) -> None:
    """Write tables of one schema, at least one, a row group each; the whole file or nothing."""
    first = next(tables)
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, first.schema, compression="zstd") as writer:
        for table in chain([first], tables):
            writer.write_table(table, row_group_size=max(1, table.num_rows))


def read_row_groups(path: Path, what: str, names: Sequence[str], where: Where | None = None) -> list[pa.Table]:
    """Read what ``write_row_groups`` wrote.

    Args:
        path: of the file.
        what: it holds, for messages.
        names: columns that it must have.
        where: which row groups to read; the others stay on the disk.

    Raises:
        UserError: the file is missing, no Parquet file, or lacks a column.
    """
    try:
        with pq.ParquetFile(path) as file:
            missing = sorted({*names, *(where or {})} - set(file.schema_arrow.names))
            if missing:
                raise UserError(f"cannot read {what} {path}: no column {', '.join(missing)}; run the evaluation again")
            groups = range(file.num_row_groups)
            return [file.read_row_group(group) for group in groups if _is_wanted(file, group, where or {})]
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"cannot read {what} {path}: {error}; run the evaluation again") from error


def _is_wanted(file: pq.ParquetFile, group: int, where: Where) -> bool:
    """Whether the constants of a row group are wanted, by its statistics alone."""
    metadata = file.metadata.row_group(group)
    places = {metadata.column(number).path_in_schema: number for number in range(metadata.num_columns)}
    for name, wanted in where.items():
        statistics = metadata.column(places[name]).statistics
        if statistics is None or not statistics.has_min_max:
            # Written without statistics, for example by another program: the first value stands for all.
            value = file.read_row_group(group, columns=[name]).column(name)[0].as_py()
        else:
            value = statistics.min
        if value not in wanted:
            return False
    return True
