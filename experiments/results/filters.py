"""Rows of a table of results by conditions on its columns, and their order."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

import pyarrow as pa
import pyarrow.compute as pc

from experiments.results.table import COLUMNS, NUMBERS
from vjepa.errors import UserError, did_you_mean, unknown_name

_CONDITION = re.compile(r"\s*([a-z_0-9-]+)\s*(!=|>=|<=|=|>|<)\s*(.*)")
_MOST_NAMES = 20
_COMPARE: dict[str, Callable[[pa.ChunkedArray, float], pa.ChunkedArray]] = {
    ">": pc.greater,
    ">=": pc.greater_equal,
    "<": pc.less,
    "<=": pc.less_equal,
}


def select(table: pa.Table, conditions: Sequence[str]) -> pa.Table:
    """Rows that meet every condition.

    Args:
        table: of results.
        conditions: ``COLUMN=VALUE,VALUE`` (texts may be globs), ``!=``, and for numbers ``>``, ``>=``, ``<``, ``<=``.

    Raises:
        UserError: a condition cannot be read, or names a column or a value that is not there.
    """
    for text in conditions:
        found = _CONDITION.fullmatch(text)
        if found is None or not found[3].strip():
            raise UserError(
                f"--where {text!r}: expected COLUMN=VALUE,VALUE, for example variant=ld,fwm* or severity>=3"
            )
        column, operator, values = found[1], found[2], [word.strip() for word in found[3].split(",")]
        if column not in COLUMNS:
            raise unknown_name(f"column of --where {text!r}:", column, COLUMNS)
        keep = _numbers(table, text, column, operator, values) if column in NUMBERS else None
        table = table.filter(_texts(table, text, column, operator, values) if keep is None else keep)
    return table


def sort_rows(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Rows in the order of some columns; equal ones keep their order.

    Args:
        table: of results.
        keys: columns; a leading ``-`` turns the order round.

    Raises:
        UserError: there is no such column.
    """
    order = [(key.removeprefix("-"), "descending" if key.startswith("-") else "ascending") for key in keys]
    for name, _ in order:
        if name not in COLUMNS:
            raise unknown_name("column of --sort:", name, COLUMNS)
    if not order:
        return table
    plain = pa.table({name: table.column(name).cast(NUMBERS.get(name, pa.string())) for name, _ in order})
    plain = plain.append_column("position", pa.array(range(len(table)), pa.int64()))
    return table.take(pc.sort_indices(plain, sort_keys=[*order, ("position", "ascending")]))


def _texts(table: pa.Table, text: str, column: str, operator: str, values: Sequence[str]) -> pa.ChunkedArray:
    if operator in _COMPARE:
        raise UserError(f"--where {text!r}: {column} is a text; compare it with = or !=")
    plain = table.column(column).cast(pa.string())
    known = plain.unique().to_pylist()
    wanted = [name for name in known if any(fnmatchcase(name, value) for value in values)]
    for value in values:
        if known and not any(fnmatchcase(name, value) for name in known):
            names = ", ".join(sorted(known)[:_MOST_NAMES]) + (", ..." if len(known) > _MOST_NAMES else "")
            raise UserError(f"--where {text!r}: no {column} {value!r}{did_you_mean(value, known)}; there is {names}")
    chosen = pc.is_in(plain, value_set=pa.array(wanted, pa.string()))
    return pc.invert(chosen) if operator == "!=" else chosen


def _numbers(table: pa.Table, text: str, column: str, operator: str, values: Sequence[str]) -> pa.ChunkedArray:
    try:
        numbers = [float(value) for value in values]
    except ValueError as error:
        raise UserError(f"--where {text!r}: {column} is a number") from error
    plain = table.column(column)
    if operator in _COMPARE:
        if len(numbers) > 1:
            raise UserError(f"--where {text!r}: {operator} takes one number")
        return _COMPARE[operator](plain, numbers[0])
    chosen = pc.is_in(plain.cast(pa.float64()), value_set=pa.array(numbers, pa.float64()))
    return pc.invert(chosen) if operator == "!=" else chosen
