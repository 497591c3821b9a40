"""A table as plain text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from textwrap import wrap

from experiments.report.document import Table

_GAP = "  "


def to_console(table: Table, width: int = 110) -> str:
    """Render ``table`` as aligned text; what is too wide continues below, with the key columns repeated."""
    widths = _widths(table)
    blocks = [_lines(table, chosen, widths) for chosen in _fit(table, widths, width)]
    title = "\n".join(wrap(table.title, width))
    notes = [line for note in table.notes for line in wrap(f"- {note}", width, subsequent_indent="  ")]
    parts = [title, *("\n".join(lines) for lines in blocks), "\n".join(notes)]
    return "\n\n".join(part for part in parts if part)


def _widths(table: Table) -> list[int]:
    widths = [
        max([len(column.title), *(len(row[index].line) for row in table.rows)])
        for index, column in enumerate(table.columns)
    ]
    # A group's heading needs its room, too; its last column gives it.
    for name, members in groupby(range(len(widths)), key=lambda index: table.columns[index].group):
        group = list(members)
        widths[group[-1]] += max(0, len(name) - _total(widths[index] for index in group))
    return widths


def _total(widths: Iterable[int]) -> int:
    return sum(width + len(_GAP) for width in widths) - len(_GAP)


def _fit(table: Table, widths: list[int], width: int) -> list[list[int]]:
    """Distribute the column groups over as few blocks as ``width`` allows, each with the key columns."""
    keys = list(range(table.num_keys))
    blocks: list[list[int]] = [keys]
    rest = range(table.num_keys, len(widths))
    for _, members in groupby(rest, key=lambda index: table.columns[index].group or str(index)):
        group = list(members)
        if len(blocks[-1]) > len(keys) and _total(widths[index] for index in blocks[-1] + group) > width:
            blocks.append(keys)
        blocks[-1] = blocks[-1] + group
    return blocks


def _lines(table: Table, chosen: list[int], widths: list[int]) -> list[str]:
    def line(cells: Iterable[str]) -> str:
        padded = [
            cell.rjust(widths[index]) if table.columns[index].align == "right" else cell.ljust(widths[index])
            for index, cell in zip(chosen, cells, strict=True)
        ]
        return _GAP.join(padded).rstrip()

    groups = _GAP.join(
        name.center(_total(widths[index] for index in members), "-" if name else " ")
        for name, members in groupby(chosen, key=lambda index: table.columns[index].group)
    ).rstrip()
    head = line(table.columns[index].title for index in chosen)
    rows = [line(row[index].line for index in chosen) for row in table.rows]
    return [*([groups] if groups else []), head, "-" * _total(widths[index] for index in chosen), *rows]
