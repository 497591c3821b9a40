"""``vjepa results``: filter, sort and print result rows."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from experiments.results.filters import select, sort_rows
from experiments.results.table import COLUMNS, check_table, read_columns
from vjepa.errors import UserError, unknown_name
from vjepa.storage import atomic_write_text

SHOWN = (
    "variant", "reading", "seed", "weights", "benchmark", "split", "probe", "subspace", "corruption", "severity",
    "metric", "value", "n",
)  # fmt: skip
"""Columns that are printed unless others are asked for."""


def main(options: Sequence[str]) -> int:
    """``vjepa results``."""
    parser = argparse.ArgumentParser("vjepa results", description="Filter, sort and print result rows.")
    parser.add_argument(
        "path", type=Path, metavar="FOLDER|FILE", help="of an ablation or a run; .parquet, .csv, .jsonl"
    )
    parser.add_argument(
        "--where", action="append", default=[], metavar="COLUMN=VALUES",
        help="keep rows with one of the values, as variant=ld,fwm* or severity=1,3; also != > >= < <=; may be repeated",
    )  # fmt: skip
    parser.add_argument("--metric", help="short for --where metric=...")
    parser.add_argument("--columns", help=f"comma-separated, or all ({','.join(SHOWN)})")
    parser.add_argument("--sort", help="comma-separated columns; -COLUMN for falling values")
    parser.add_argument("--format", choices=FORMATS, default="table", help="(%(default)s)")
    parser.add_argument("--limit", type=int, default=50, help="most rows of a printed table; 0: all (%(default)s)")
    parser.add_argument("--out", type=Path, help="write here, all rows, and not to the terminal")
    known = parser.parse_args(list(options))
    if known.limit < 0:
        raise UserError(f"--limit {known.limit}: expected 0 (all) or more")
    conditions = [*known.where, *([f"metric={known.metric}"] if known.metric else [])]
    table = select(read_columns(known.path), conditions)
    if not len(table):
        raise UserError(f"{known.path}: no row is left by {' '.join(conditions) or 'an empty table'}")
    check_table(table)
    table = sort_rows(table, known.sort.split(",") if known.sort else [])
    columns = _columns(known.columns)
    limit = 0 if known.out is not None else known.limit
    text = FORMATS[known.format](table, columns, limit)
    if known.out is None:
        print(text)
    else:
        atomic_write_text(known.out, text + "\n")
        print(f"{len(table):,} rows in {known.out}")
    return 0


def _columns(asked: str | None) -> tuple[str, ...]:
    if asked is None:
        return ()
    names = COLUMNS if asked == "all" else tuple(asked.split(","))
    for name in names:
        if name not in COLUMNS:
            raise unknown_name("column", name, COLUMNS)
    return names


def to_text(table: pa.Table, columns: Sequence[str], limit: int) -> str:
    """A table for people: columns that say the same in every row are said once, above it.

    Args:
        table: selected rows.
        columns: asked for; empty chooses those that differ among ``SHOWN``.
        limit: most rows; 0 takes all.
    """
    head = []
    if not columns:
        same = {name: table.column(name)[0].as_py() for name in SHOWN[:-2] if len(table.column(name).unique()) == 1}
        columns = [name for name in SHOWN if name not in same or len(table) == 1]
        if same and len(table) > 1:
            head = [", ".join(f"{name} {value}" for name, value in same.items()), ""]
    shown = table.slice(0, limit or len(table)).select(list(columns))
    cells = [[_text(value) for value in column.to_pylist()] for column in shown.columns]
    widths = [max(len(name), *map(len, column)) for name, column in zip(columns, cells, strict=True)]
    numeric = [not pa.types.is_dictionary(column.type) for column in shown.columns]
    lines = [list(columns), *map(list, zip(*cells, strict=True))]
    body = ["  ".join(_pad(*each) for each in zip(line, widths, numeric, strict=True)).rstrip() for line in lines]
    body.insert(1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
    left = len(table) - len(shown)
    return "\n".join([*head, *body, *([f"... and {left:,} more rows: --limit 0 shows all"] if left else [])])


def to_csv(table: pa.Table, columns: Sequence[str], limit: int) -> str:
    """Comma-separated values with a header; all columns unless some are asked for."""
    buffer = BytesIO()
    pyarrow.csv.write_csv(table.select(list(columns or COLUMNS)), buffer)
    return buffer.getvalue().decode().rstrip("\n")


def to_json(table: pa.Table, columns: Sequence[str], limit: int) -> str:
    """A list of objects; a value that is undefined is null."""
    rows = table.select(list(columns or COLUMNS)).to_pylist()
    return json.dumps([{k: None if v != v else v for k, v in row.items()} for row in rows], indent=2)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "-" if value is None else str(value)


def _pad(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)


FORMATS: dict[str, Callable[[pa.Table, Sequence[str], int], str]] = {
    "table": to_text,
    "csv": to_csv,
    "json": to_json,
}
