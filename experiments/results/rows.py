"""Result rows: one number each, with everything needed to say what it is."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from experiments.results.provenance import git_revision, versions
from vjepa.errors import UserError
from vjepa.storage import atomic_write_text

RANDOM_INIT = "random_init"
"""Variant of the control that was never trained."""


@dataclass(frozen=True)
class RowStamp:
    """Which encoder a result belongs to: the identity columns of a row.

    Args:
        data: data set the encoder was pretrained on, ``none``, or ``unknown`` for weights of others.
        regime: pretraining mixture, e.g. ``glyphs``, ``ucf101`` or ``mixed``.
        variant, reading, layout: what was trained, by which reading, with which layout of the latent.
        seed: pretraining seed; -1 where none is known.
        step: optimizer steps taken.
        weights: ``teacher``, ``online``, ``init``, ``pixels``, or ``pretrained`` for weights of others.
        config_hash: digest of the resolved configuration; of an encoder of others, of its weights and options.
    """

    data: str
    regime: str
    variant: str
    reading: str
    layout: str
    seed: int
    step: int
    weights: str
    config_hash: str


@dataclass(frozen=True)
class Row:
    """One number and everything needed to say what it is.

    Args:
        benchmark: ``<data set>/<task>``, or the data set alone when it has one task.
        split: ``train``, ``val`` or ``test``.
        probe: name of the probe protocol; ``protocol_hash`` pins its settings.
        subspace: part of the latent the probe reads; ``whole`` is all of it.
        corruption: corruption of the evaluated clips, ``none`` for clean ones, or a profile for a summary.
        severity: 1-5, or 0 where there is none.
        metric: name of the metric; ``value`` may be NaN where it is undefined.
        n: clips behind ``value``.
        excluded: clips that belong there and are missing, because their files are broken.
    """

    data: str
    regime: str
    variant: str
    reading: str
    layout: str
    seed: int
    step: int
    weights: str
    benchmark: str
    split: str
    probe: str
    subspace: str
    corruption: str
    severity: int
    metric: str
    value: float
    n: int
    protocol_hash: str
    config_hash: str
    git_revision: str = field(default_factory=git_revision)
    versions: str = field(default_factory=versions)
    excluded: int = 0


def is_random_init(row: Row | RowStamp) -> bool:
    """Whether an encoder is the control that was never trained.

    A run whose reading evaluates its initial weights has the weights ``init`` too, after its steps: it is no control.
    """
    return row.variant == RANDOM_INIT or (row.weights == "init" and row.step == 0)


_COLUMNS = frozenset(item.name for item in fields(Row))
_INTEGERS = frozenset({"seed", "step", "severity", "n", "excluded"})


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write ``rows`` as JSON lines, the whole file or nothing; NaN becomes ``null``."""
    lines = []
    for row in rows:
        record = vars(row) | {"value": row.value if math.isfinite(row.value) else None}
        lines.append(json.dumps(record, allow_nan=False))
    atomic_write_text(path, "".join(line + "\n" for line in lines))


def read_rows(path: Path) -> list[Row]:
    """Read what ``write_rows`` wrote.

    Raises:
        UserError: the file is missing, or a line is no row; the message names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read results {path}: {error}; run the evaluation again") from error
    return [
        _parse_row(line, f"{path}, line {number}")
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip()
    ]


def _parse_row(line: str, place: str) -> Row:
    fix = "delete the file and run the evaluation again"
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{place}: not JSON ({error.msg}); {fix}") from error
    if isinstance(record, dict):
        record.setdefault("excluded", 0)  # results written before clips could be excluded have no such column
    if not isinstance(record, dict) or set(record) != _COLUMNS:
        wrong = sorted(set(record) ^ _COLUMNS) if isinstance(record, dict) else [type(record).__name__]
        raise UserError(f"{place}: not a result row, missing or unknown columns {', '.join(wrong)}; {fix}")
    for name, value in record.items():
        if not _has_type(name, value):
            raise UserError(f"{place}: column {name!r} holds {value!r}; {fix}")
    if record["value"] is None:
        record["value"] = math.nan
    return Row(**record)


def _has_type(name: str, value: Any) -> bool:
    if name == "value":
        return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
    if name in _INTEGERS:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)


_VALUES = frozenset({"value", "n", "excluded", "git_revision", "versions"})
_identity = attrgetter(*(item.name for item in fields(Row) if item.name not in _VALUES))
"""Which number a row is, beside what it came out as."""


def merge_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write ``rows`` among those that ``path`` holds already; a row of the same identity gives way to the new one."""
    found = {_identity(row): row for row in (read_rows(path) if path.exists() else [])}
    for row in rows:
        found[_identity(row)] = row
    write_rows(path, found.values())
