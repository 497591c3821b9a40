"""The tables of docs/robustness.md: every corruption with its parameters, what it does, and the profiles."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from experiments.docs.docstrings import parse
from experiments.docs.page import markdown_table, markdown_text
from vjepa.corruptions import CORRUPTIONS, PROFILES, SEVERITIES, Corruption
from vjepa.corruptions.base import ClipCorruption, Group
from vjepa.errors import UserError


def robustness_page(page: str) -> str:
    """The page with its tables as the code has them; all other text is kept.

    Args:
        page: text in which ``<!-- begin NAME ... -->`` and ``<!-- end NAME -->`` enclose each table.

    Raises:
        UserError: such a pair of marks is missing.
    """
    for name, write in TABLES.items():
        marks = rf"<!-- begin {name}\b[^>]*-->\n(.*?)<!-- end {name} -->"
        found = list(re.finditer(marks, page, flags=re.DOTALL))
        if len(found) != 1:
            raise UserError(
                f"docs/robustness.md: the tables of {name} need <!-- begin {name} --> and <!-- end {name} --> once"
            )
        start, end = found[0].span(1)
        page = f"{page[:start]}\n{write()}{page[end:]}"
    return page


def parameters() -> str:
    """A table of each group: a corruption, its stage, its parameter, and that of each severity."""
    header = ("corruption", "stage", "parameter", *map(str, SEVERITIES), "draws", "runs")
    return _by_group(header, _parameter_row)


def _parameter_row(item: Corruption) -> tuple[str, ...]:
    levels = [_level(level) for level in item.levels]
    levels += [""] * (len(SEVERITIES) - len(levels))
    runs = "CPU, clip by clip" if isinstance(item, ClipCorruption) else "device, batched"
    return (f"`{item.name}`", item.stage, markdown_text(item.parameter), *levels, "yes" if item.is_random else "", runs)


def definitions() -> str:
    """A table of each group: what a corruption does, where it is from, and where it differs from that."""
    return _by_group(("corruption", "what it does", "source", "differs"), _definition_row)


def _definition_row(item: Corruption) -> tuple[str, ...]:
    doc = parse(item.apply)
    text = " ".join(f"{doc.summary} {doc.definition}".split())
    return (f"`{item.name}`", markdown_text(text), markdown_text(doc.source), markdown_text(doc.differs))


def profiles() -> str:
    """A table: what each profile runs, and what its figures do not mean."""
    header = ("profile", "severities", "conditions", "in averages", "corruptions", "notes")
    rows = [
        (
            f"`{item.name}`",
            ", ".join(map(str, item.severities)),
            str(len(item.conditions)),
            str(len(item.label_preserving)),
            ", ".join(f"`{name}`" for name in item.corruptions),
            markdown_text("; ".join(item.notes)),
        )
        for item in PROFILES.values()
    ]
    return markdown_table(header, rows)


def _by_group(header: tuple[str, ...], row: Callable[[Corruption], tuple[str, ...]]) -> str:
    protocol = PROFILES["full"].corruptions
    parts = []
    for group in get_args(Group):
        items = [item for item in CORRUPTIONS.values() if item.group == group]
        # Those of the protocol first and in its order.
        items.sort(key=lambda item: protocol.index(item.name) if item.name in protocol else len(protocol))
        cells = [row(item) for item in items]
        bold = [(f"**{name}**" if item.name in protocol else name, *rest) for item, (name, *rest) in zip(items, cells)]
        parts.append(f"**{group}**\n\n{markdown_table(header, bold)}")
    return "".join(parts)


def _level(level: Any) -> str:
    numbers: Iterable[float] = level if isinstance(level, tuple) else (level,)
    return ", ".join(f"{number:.6g}" for number in numbers)


TABLES: Mapping[str, Callable[[], str]] = {"parameters": parameters, "definitions": definitions, "profiles": profiles}
