"""Parquet files of per-clip numbers: one row group for each (encoder, condition), whose identity is constant in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from vjepa.errors import UserError
from vjepa.storage import atomic_path


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


def read_row_groups(path: Path, what: str, names: Sequence[str]) -> list[pa.Table]:
    """Read what ``write_row_groups`` wrote.

    Args:
        path: of the file.
        what: it holds, for messages.
        names: columns that it must have.

    Raises:
        UserError: the file is missing, no Parquet file, or lacks a column.
    """
    try:
        with pq.ParquetFile(path) as file:
            missing = sorted(set(names) - set(file.schema_arrow.names))
            if missing:
                raise UserError(f"cannot read {what} {path}: no column {', '.join(missing)}; run the evaluation again")
            return [file.read_row_group(group) for group in range(file.num_row_groups)]
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"cannot read {what} {path}: {error}; run the evaluation again") from error
