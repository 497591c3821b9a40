"""What a report is made of: blocks that know their content and nothing of Markdown, HTML or the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

MISSING = "\u2013"


@dataclass(frozen=True)
class Entry:
    """The content of one table cell.

    Args:
        text: the number or name.
        muted: printed in grey.
        detail: what stands smaller below or behind it, such as an interval.
    """

    text: str
    muted: bool = False
    detail: str = ""

    @property
    def line(self) -> str:
        """Text and detail on one line."""
        return f"{self.text} {self.detail}" if self.detail else self.text


@dataclass(frozen=True)
class Column:
    """A table column; neighbours with the same ``group`` share a heading above their own."""

    title: str
    group: str = ""
    align: Literal["left", "right"] = "right"


@dataclass(frozen=True)
class Table:
    """A table and the notes without which its numbers should not be read.

    Args:
        title: caption.
        columns: the first ``num_keys`` of them name a row.
        rows: one ``Entry`` a column.
        notes: sentences printed below.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...] = ()
    num_keys: int = 1

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                cells = f"{len(row)} cells in a row of {len(self.columns)} columns"
                raise ValueError(f"table {self.title!r}: {cells}")


@dataclass(frozen=True)
class Heading:
    """The title of a section, or of a part of one."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Running text; the lead carries the answer and is set larger."""

    text: str
    lead: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """Shell commands to copy."""

    text: str


@dataclass(frozen=True)
class Figure:
    """A picture.

    Args:
        path: the PNG, relative to the report's folder.
        png: its bytes.
        caption: how to read it.
        alt: what it shows, for a reader who cannot see it; empty: the caption.
    """

    path: Path
    png: bytes
    caption: str
    alt: str = ""


Block = Heading | Paragraph | Bullets | Code | Figure | Table


@dataclass(frozen=True)
class Document:
    """A titled sequence of blocks."""

    title: str
    blocks: tuple[Block, ...]
