"""A document as one HTML file that needs nothing beside itself."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from itertools import groupby, takewhile
from re import sub

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

_SCALE = 0.66
"""Pixels of the page for one of a picture."""

_MANY_COLUMNS = 9
"""More are set smaller on paper."""

_STYLE = """
:root { color-scheme: light dark;
        --link: #0060a0; --ink: #1a1a1a; --soft: #595959; --line: #c9c9c9; --page: #ffffff; --band: #f3f5f7; }
@media (prefers-color-scheme: dark) {
  :root { --link: #56b4e9; --ink: #ececec; --soft: #a8a8a8; --line: #4a4a4a; --page: #16181b; --band: #22262b; }
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
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .5rem; }
th, td { padding: .28rem .5rem; text-align: left; white-space: nowrap; }
thead th { border-bottom: 1px solid var(--ink); }
thead th.group { border-bottom: 1px solid var(--line); text-align: center; }
tbody tr { border-bottom: 1px solid var(--line); }
tbody tr:nth-child(even) { background: var(--band); }
tbody th { font-weight: 600; }
td small, th small { display: block; font-size: .8em; color: var(--soft); font-weight: 400; }
nav ul { list-style: none; padding: 0; margin: 1.25rem 0; display: flex; flex-wrap: wrap; gap: .25rem 1.1rem;
         font-size: .9rem; }
a { color: var(--link); }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
.right { text-align: right; }
.muted { color: var(--soft); font-style: italic; font-weight: 400; }
.notes { font-size: .85rem; color: var(--soft); }
.long { white-space: normal; overflow-wrap: anywhere; }
pre { background: var(--band); padding: .75rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
figure { margin: 1.25rem 0; }
figure img { display: block; max-width: 100%; height: auto;
             background: #ffffff; border-radius: .4rem; }
figcaption { font-size: .85rem; color: var(--soft); margin-top: .4rem; max-width: 46rem; }
@media print {
  :root { color-scheme: light;
          --ink: #000000; --soft: #444444; --line: #999999; --page: #ffffff; --band: #f3f3f3; }
  html { font-size: 9pt; }
  body { max-width: none; padding: 0; }
  .scroll { overflow: visible; }
  th, td { padding: .2rem .45rem; }
  h2, h3, caption { break-after: avoid; }
  nav { display: none; }
  figure img { max-height: 23cm; width: auto; max-width: 100%; }
  table { font-size: 7.5pt; }
  table.wide { font-size: 6pt; }
  table.wide th, table.wide td { padding: .1rem .22rem; }
  thead { display: table-header-group; }
  thead th { white-space: normal; }
  figure, tr { break-inside: avoid; }
}
"""


def to_html(document: Document) -> str:
    """Render ``document`` with inline style and pictures; every text of it is escaped."""
    lead = [_block(block) for block in takewhile(lambda block: not isinstance(block, Heading), document.blocks)]
    rest = [_block(block) for block in document.blocks[len(lead) :]]
    body = "\n".join([*lead, _contents(document), *rest])
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(document.title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{escape(document.title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _block(block: Block) -> str:
    match block:
        case Heading(text=text, level=level):
            return f'<h{level} id="{_anchor(text)}">{escape(text)}</h{level}>'
        case Paragraph(text=text, lead=lead):
            return f'<p class="lead">{escape(text)}</p>' if lead else f"<p>{escape(text)}</p>"
        case Bullets(items=items):
            return _bullets(items)
        case Code(text=text):
            return f"<pre><code>{escape(text)}</code></pre>"
        case Figure(png=png, caption=caption, alt=alt):
            source = f"data:image/png;base64,{b64encode(png).decode()}"
            return (
                f'<figure><img src="{source}" width="{_shown_width(png)}" alt="{escape(alt or caption)}">'
                f"<figcaption>{escape(caption)}</figcaption></figure>"
            )
        case Table():
            return _table(block)


def _shown_width(png: bytes) -> int:
    """Pixels of the page for a picture, so that letters of all pictures have one size."""
    return round(_SCALE * int.from_bytes(png[16:20], "big"))


def _contents(document: Document) -> str:
    """Links to the sections of a long document."""
    titles = [block.text for block in document.blocks if isinstance(block, Heading) and block.level == 2]
    if len(titles) < 4:
        return ""
    links = "".join(f'<li><a href="#{_anchor(title)}">{escape(title)}</a></li>' for title in titles)
    return f'<nav aria-label="contents"><ul>{links}</ul></nav>\n'


def _anchor(title: str) -> str:
    return sub("[^a-z0-9]+", "-", title.lower()).strip("-")


def _bullets(items: tuple[str, ...], style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f"<ul{kind}>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _table(table: Table) -> str:
    rows = []
    for row in table.rows:
        cells = []
        for position, (column, entry) in enumerate(zip(table.columns, row, strict=True)):
            tag = "th" if position < table.num_keys else "td"
            scope = ' scope="row"' if position < table.num_keys else ""
            classes = ["right"] if column.align == "right" else []
            classes += ["muted"] if entry.muted else []
            classes += ["long"] if len(entry.text) > 48 else []
            kind = f' class="{" ".join(classes)}"' if classes else ""
            detail = f"<small>{escape(entry.detail)}</small>" if entry.detail else ""
            cells.append(f"<{tag}{scope}{kind}>{escape(entry.text)}{detail}</{tag}>")
        rows.append("<tr>" + "".join(cells) + "</tr>")
    notes = _bullets(table.notes, "notes") if table.notes else ""
    wide = ' class="wide"' if len(table.columns) > _MANY_COLUMNS else ""
    return (
        f'<div class="scroll"><table{wide}><caption>{escape(table.title)}</caption>\n'
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
