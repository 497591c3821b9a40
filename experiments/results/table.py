"""The results of an ablation as one tidy table: a row for each number, as Parquet and as CSV.

A study holds some hundred thousand rows: they are kept in columns, and become ``Row`` where they are few.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from experiments.results.protocols import QUESTION, check_protocols
from experiments.results.rows import Row
from vjepa.errors import UserError
from vjepa.storage import atomic_path

TABLE, CSV, LINES = "results.parquet", "results.csv", "results.jsonl"
COLUMNS = tuple(item.name for item in fields(Row))
NUMBERS = {"value": pa.float64()} | {name: pa.int64() for name in ("seed", "step", "severity", "n", "excluded")}
"""Types of the columns that hold no text."""

_TEXT = pa.dictionary(pa.int32(), pa.string())
_SCHEMA = pa.schema([(name, NUMBERS.get(name, _TEXT)) for name in COLUMNS])
_PLAIN = pa.schema([(name, NUMBERS.get(name, pa.string())) for name in COLUMNS])


def collect(files: Iterable[Path]) -> pa.Table:
    """Rows of finished evaluations, one after the other.

    Args:
        files: ``results.jsonl`` of each; one or more.

    Raises:
        UserError: a file cannot be read, or one question was answered by several protocols.
    """
    table = pa.concat_tables([read_columns(path) for path in files]).unify_dictionaries()
    check_table(table)
    return table


def check_table(table: pa.Table) -> None:
    """As ``check_protocols``."""
    answers = table.group_by([*QUESTION, "protocol_hash"]).aggregate([])
    counts = answers.group_by(list(QUESTION)).aggregate([("protocol_hash", "count")])
    mixed = counts.filter(pc.greater(counts.column("protocol_hash_count"), 1))
    if len(mixed):
        check_protocols(
            rows_of(_decoded(table).join(_decoded(mixed.select(list(QUESTION))), list(QUESTION), join_type="inner"))
        )


def write_table(folder: Path, table: pa.Table) -> None:
    """Write ``results.parquet`` and ``results.csv``, each whole or not at all.

    Raises:
        UserError: the folder cannot be written.
    """
    with atomic_path(folder / TABLE) as path:
        pq.write_table(table, path, compression="zstd")
    with atomic_path(folder / CSV) as path:
        pyarrow.csv.write_csv(table, path)


def read_table(path: Path) -> list[Row]:
    """As ``read_columns``, row by row."""
    return rows_of(read_columns(path))


def read_columns(path: Path) -> pa.Table:
    """Read ``results.parquet``, ``results.csv`` or ``results.jsonl``; of a folder, the first of them that is there.

    Raises:
        UserError: the file is missing or no such table.
    """
    if path.is_dir():
        named = [path / name for name in (TABLE, CSV, LINES)]
        path = next((file for file in named if file.is_file()), named[0])
    if not path.is_file():
        raise UserError(
            f"{path}: no such file; results are written by vjepa ablation, and by vjepa report FOLDER again"
        )
    try:
        table = _read(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(
            f"cannot read results {path}: {error}; vjepa report FOLDER writes the table of an ablation again"
        ) from error
    missing = sorted(set(COLUMNS) - set(table.column_names))
    if missing:
        raise UserError(f"{path} is no table of results: no column {', '.join(missing)}")
    if empty := [name for name in COLUMNS if name != "value" and table.column(name).null_count]:
        raise UserError(f"{path} is no table of results: column {empty[0]} has rows without a value")
    return table.select(COLUMNS).cast(_SCHEMA).unify_dictionaries()


def rows_of(table: pa.Table) -> list[Row]:
    """Rows of a table; a missing value is NaN, and equal texts are one object."""
    columns = {name: _values(table.column(name)) for name in COLUMNS}
    columns["value"] = [float("nan") if value is None else value for value in columns["value"]]
    return [Row(*values) for values in zip(*columns.values(), strict=True)]


def _read(path: Path) -> pa.Table:
    if path.suffix == ".csv":
        options = pyarrow.csv.ConvertOptions(column_types=dict(zip(_PLAIN.names, _PLAIN.types, strict=True)))
        return pyarrow.csv.read_csv(path, convert_options=options)
    if path.suffix == ".jsonl":
        table = pyarrow.json.read_json(path, parse_options=pyarrow.json.ParseOptions(_PLAIN))
        if table.column("excluded").null_count == len(table):  # written before clips could be excluded
            zeros = pa.array([0] * len(table), pa.int64())
            table = table.set_column(table.column_names.index("excluded"), "excluded", zeros)
        return table
    return pq.read_table(path)


def _decoded(table: pa.Table) -> pa.Table:
    return table.cast(pa.schema([(name, _PLAIN.field(name).type) for name in table.column_names]))


def _values(column: pa.ChunkedArray) -> list[Any]:
    if column.type in NUMBERS.values():
        return column.to_pylist()  # type: ignore[no-any-return]
    encoded = column.combine_chunks()
    encoded = encoded if pa.types.is_dictionary(encoded.type) else encoded.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        return column.to_pylist()  # type: ignore[no-any-return]
    texts = encoded.dictionary.to_pylist()
    return [texts[index] for index in encoded.indices.to_pylist()]
