"""A document as GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from experiments.report.document import Block, Bullets, Code, Document, Figure, Heading, Paragraph, Table

_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_[]|~"})


def to_markdown(document: Document) -> str:
    """Render ``document``; text is escaped, pictures are linked by their relative path."""
    parts = [f"# {_text(document.title)}", *(_block(block) for block in document.blocks)]
    return "\n\n".join(parts) + "\n"


def _text(text: str) -> str:
    # GitHub shows inline HTML: escape it as well as Markdown's own marks; a line break would end a cell.
    return " ".join(escape(text, quote=False).translate(_SPECIAL).split())


def _block(block: Block) -> str:
    match block:
        case Heading(text=text, level=level):
            return f"{'#' * level} {_text(text)}"
        case Paragraph(text=text, lead=lead):
            return f"> {_text(text)}" if lead else _text(text)
        case Bullets(items=items):
            return "\n".join(f"- {_text(item)}" for item in items)
        case Code(text=text):
            fence = "```" if "```" not in text else "````"
            return f"{fence}sh\n{text}\n{fence}"
        case Figure(path=path, caption=caption, alt=alt):
            return f"![{_text(alt or caption)}]({path.as_posix()})\n\n*{_text(caption)}*"
        case Table():
            return _table(block)


def _table(table: Table) -> str:
    titles = [f"{column.group}: {column.title}" if column.group else column.title for column in table.columns]
    lines = [
        _row(_text(title) for title in titles),
        _row("---:" if column.align == "right" else ":---" for column in table.columns),
    ]
    for row in table.rows:
        # Markdown has no grey; italics mark what must not be read as a result.
        lines.append(_row(f"*{_text(entry.line)}*" if entry.muted else _text(entry.line) for entry in row))
    notes = "\n".join(f"- {_text(note)}" for note in table.notes)
    return "\n\n".join(part for part in (f"**{_text(table.title)}**", "\n".join(lines), notes) if part)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
