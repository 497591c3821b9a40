"""``vjepa variants`` for readers (aligned text) and for programs (CSV, JSON)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from textwrap import wrap

from experiments.overlays import look_up, merged
from experiments.published import BENCHMARKS
from experiments.published.notes import NOTES
from experiments.variants.rows import VariantRow, common_switches

TITLES = {
    "diving48": ("D48", "Diving-48 V2"),
    "imagenet100": ("IN100", "ImageNet-100"),
    "ssv2": ("SSv2", "Something-Something V2"),
    "ucf101": ("UCF", "UCF-101, all of split 1"),
    "ucf101_subset": ("UCF2k", "UCF-101, 2,000 and 500 clips"),
    "synth_motion": ("synth", "8 directions of a disc, 40 test clips"),
}
_GAP = "  "
_WIDTH = 130


@dataclass(frozen=True)
class _Column:
    """A column: its title and the items of a cell, of which a line takes as many as the longest one is wide."""

    title: str
    items: Callable[[VariantRow], Sequence[str]]
    numeric: bool = False


def to_text(rows: Sequence[VariantRow]) -> str:
    """A table for each regime, and what its numbers do not mean."""
    blocks = []
    for (kind, regime), members in groupby(rows, key=lambda row: (row.kind, row.regime)):
        blocks.append("\n".join([*_heading(kind, regime), "", *_table(list(members))]))
    return "\n\n".join([*blocks, "\n".join(_footnotes(rows))])


def to_csv(rows: Sequence[VariantRow]) -> str:
    """One line a row, published top-1 of the study's own probes as columns."""
    names = ["config", "variant", "kind", "regime", "reading", "seed", "processes"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*names, "slots", "terms", "switches", "defects", *BENCHMARKS])
    for row in rows:
        fields = ["" if getattr(row, name) is None else getattr(row, name) for name in names]
        lists = [row.slots, row.terms, _switches(row), [str(number) for number in row.defects]]
        top1 = [row.top1.get(benchmark, "") for benchmark in BENCHMARKS]
        writer.writerow([*fields, *("; ".join(items) for items in lists), *top1])
    return out.getvalue().rstrip("\n")


def to_json(rows: Sequence[VariantRow]) -> str:
    """Everything, with each published result and its source."""
    return json.dumps([asdict(row) for row in rows], indent=2)


def _heading(kind: str, regime: str | None) -> list[str]:
    title = "controls that nobody has run" if kind == "control" else f"{regime}: the study's configurations"
    settings = merged("baseline", regime)
    data, trainer, model = settings["data"]["init_args"], settings["trainer"], settings["model"]
    parted = ", ".join(common_switches(regime))
    if regime is None:
        return [f"{title}; --regime NAME sets data and steps", f"readings part in every run: {parted}"]
    accumulated = int(look_up(settings, "trainer.accumulate_grad_batches") or 1)
    return [
        f"{title}; {trainer['max_steps']:,} steps of {data['batch_size'] * accumulated} clips, "
        f"{data['num_frames']} frames of {data['size']} px, preset {model['preset']}"
        + (f", regime {regime}" if kind == "control" else ""),
        f"readings part in every run: {parted}",
    ]


def _table(rows: Sequence[VariantRow]) -> list[str]:
    by_reading = any(row.reading for row in rows)
    benchmarks = [name for name in BENCHMARKS if any(name in row.top1 for row in rows)]
    columns = [
        _Column("variant", lambda row: [row.variant + _marks(row)]),
        *([_Column("reading", lambda row: [str(row.reading)])] if by_reading else []),
        *([_Column("seed", lambda row: [str(row.seed or "-")], True)] if rows[0].kind == "study" else []),
        *(_Column(TITLES[name][0], _accuracy(name), True) for name in benchmarks),
        _Column("slots", lambda row: row.slots),
        _Column("terms", lambda row: [part for term in row.terms for part in _parts(term)]),
        _Column("switches" if by_reading else "readings part in", _switches),
    ]
    cells = [[column.items(row) or ["-"] for column in columns] for row in rows]
    widths = [
        max(len(item) for item in [column.title, *(item for line in cells for item in line[number])])
        for number, column in enumerate(columns)
    ]
    lines = [_line([column.title for column in columns], columns, widths)]
    lines.append("-" * len(_GAP.join("x" * width for width in widths)))
    for cell in cells:
        height = max(map(len, cell))
        lines += [
            _line([items[at] if at < len(items) else "" for items in cell], columns, widths) for at in range(height)
        ]
    return lines


def _line(texts: Iterable[str], columns: Sequence[_Column], widths: Sequence[int]) -> str:
    padded = [
        text.rjust(width) if column.numeric else text.ljust(width)
        for text, column, width in zip(texts, columns, widths, strict=True)
    ]
    return _GAP.join(padded).rstrip()


def _accuracy(benchmark: str) -> Callable[[VariantRow], Sequence[str]]:
    return lambda row: [f"{row.top1[benchmark]:.2f}"] if benchmark in row.top1 else ["-"]


def _parts(term: str) -> list[str]:
    """A term, and its options below it."""
    name, _, options = term.rstrip(")").partition(" (")
    return [name, *(f"  {option}" for option in options.split(", ") if option)]


def _marks(row: VariantRow) -> str:
    return f" [{','.join(map(str, row.defects))}]" if row.defects else ""


def _switches(row: VariantRow) -> Sequence[str]:
    return [key if row.reading is None else f"{key}={_value(value)}" for key, value in row.switches.items()]


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _footnotes(rows: Sequence[VariantRow]) -> list[str]:
    published = [row for row in rows if row.results]
    if not published:
        return ["No published number belongs to these rows."]
    shown = [titles for name, titles in TITLES.items() if any(name in row.top1 for row in published)]
    lines = [
        "Published top-1 in %: result files of the study's released code (arXiv 2605.17165), one run each, - where "
        f"there is none. {'; '.join(f'{short}: {title}' for short, title in shown)}.",
    ]
    if any(row.reading for row in rows):
        lines.append("They stand beside as_released, since released code made them; nobody has measured as_described.")
    if others := sum(len(row.results) - len(row.top1) for row in published):
        lines.append(f"{others} results by further probes: --format json.")
    lines.append("Numbers that do not mean what they say, by their number in docs/defects.md:")
    for note in NOTES:
        if not note.variants or any(note.concerns(row.variant) for row in published):
            lines.append(f"  [{note.defect}] {'' if note.variants else 'all rows: '}{note.text}.")
    indent = [" " * (line.find("] ") + 2) if line.startswith("  [") else "" for line in lines]
    return [part for line, hang in zip(lines, indent) for part in wrap(line, _WIDTH, subsequent_indent=hang)]
