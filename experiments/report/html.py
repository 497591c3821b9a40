"""A document as one HTML file that needs nothing beside itself."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from itertools import groupby

from experiments.report.document import (
    Block,
    Bullets,
    Code,
    Column,
    Document,
    Figure,
    Heading,
    Paragraph,
    Table,
)

# No request leaves the page, whatever a label contains.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

_STYLE = """
:root { color-scheme: light dark;
        --ink: #1a1a1a; --soft: #595959; --line: #c9c9c9; --page: #ffffff; --band: #f3f5f7; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececec; --soft: #a8a8a8; --line: #4a4a4a; --page: #16181b; --band: #22262b; }
}
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 70rem;
       color: var(--ink); background: var(--page);
       font: 1rem/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-bottom: .25rem;
     border-bottom: 1px solid var(--line); }
p, ul { max-width: 50rem; }
.lead { font-size: 1.12rem; border-left: .25rem solid #0072b2; padding-left: 1rem; }
.scroll { overflow-x: auto; margin-top: 1rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .5rem; }
th, td { padding: .3rem .65rem; text-align: left; white-space: nowrap; }
thead th { border-bottom: 1px solid var(--ink); }
thead th.group { border-bottom: 1px solid var(--line); text-align: center; }
tbody tr { border-bottom: 1px solid var(--line); }
tbody tr:nth-child(even) { background: var(--band); }
tbody th { font-weight: 600; }
.right { text-align: right; }
.muted { color: var(--soft); font-style: italic; font-weight: 400; }
.notes { font-size: .85rem; color: var(--soft); }
.long { white-space: normal; overflow-wrap: anywhere; }
pre { background: var(--band); padding: .75rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
figure { margin: 1.25rem 0; }
figure img { display: block; width: 100%; max-width: 66rem; height: auto;
             background: #ffffff; border-radius: .4rem; }
figcaption { font-size: .85rem; color: var(--soft); margin-top: .4rem; max-width: 46rem; }
@media print {
  :root { color-scheme: light;
          --ink: #000000; --soft: #444444; --line: #999999; --page: #ffffff; --band: #f3f3f3; }
  html { font-size: 9pt; }
  body { max-width: none; padding: 0; }
  .scroll { overflow: visible; }
  th, td { padding: .2rem .45rem; }
  h2 { break-after: avoid; }
  figure, tr { break-inside: avoid; }
}
"""


def to_html(document: Document) -> str:
    """Render ``document`` with inline style and pictures; every text of it is escaped."""
    body = "\n".join(_block(block) for block in document.blocks)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(document.title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{escape(document.title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _block(block: Block) -> str:
    match block:
        case Heading(text=text):
            return f"<h2>{escape(text)}</h2>"
        case Paragraph(text=text, lead=lead):
            return f'<p class="lead">{escape(text)}</p>' if lead else f"<p>{escape(text)}</p>"
        case Bullets(items=items):
            return _bullets(items)
        case Code(text=text):
            return f"<pre><code>{escape(text)}</code></pre>"
        case Figure(png=png, caption=caption):
            source = f"data:image/png;base64,{b64encode(png).decode()}"
            return (
                f'<figure><img src="{source}" alt="{escape(caption)}">'
                f"<figcaption>{escape(caption)}</figcaption></figure>"
            )
        case Table():
            return _table(block)


def _bullets(items: tuple[str, ...], style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f"<ul{kind}>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _table(table: Table) -> str:
    rows = []
    for row in table.rows:
        cells = []
        for position, (column, entry) in enumerate(zip(table.columns, row, strict=True)):
            tag = "th" if position == 0 else "td"
            scope = ' scope="row"' if position == 0 else ""
            classes = ["right"] if column.align == "right" else []
            classes += ["muted"] if entry.muted else []
            classes += ["long"] if len(entry.text) > 48 else []
            kind = f' class="{" ".join(classes)}"' if classes else ""
            cells.append(f"<{tag}{scope}{kind}>{escape(entry.text)}</{tag}>")
        rows.append("<tr>" + "".join(cells) + "</tr>")
    notes = _bullets(table.notes, "notes") if table.notes else ""
    return (
        f'<div class="scroll"><table><caption>{escape(table.title)}</caption>\n'
        f"<thead>{_head(table.columns)}</thead>\n"
        f"<tbody>\n{chr(10).join(rows)}\n</tbody></table></div>{notes}"
    )


def _head(columns: tuple[Column, ...]) -> str:
    titles = "".join(f'<th scope="col" class="{item.align}">{escape(item.title)}</th>' for item in columns)
    if not any(column.group for column in columns):
        return f"<tr>{titles}</tr>"
    groups = ""
    for name, members in groupby(columns, key=lambda column: column.group):
        span = len(list(members))
        start = f'<th scope="colgroup" class="group" colspan="{span}">' if name else f'<td colspan="{span}">'
        groups += f"{start}{escape(name)}{'</th>' if name else '</td>'}"
    return f"<tr>{groups}</tr><tr>{titles}</tr>"
