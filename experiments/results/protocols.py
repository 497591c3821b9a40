"""Numbers that were measured by different protocols are never put into one table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from experiments.results.rows import Row
from vjepa.errors import UserError

QUESTION = ("benchmark", "split", "probe", "subspace", "corruption", "severity", "metric")
"""Columns that say what was asked; answers to one question are comparable if one protocol gave them."""
_MOST_LINES = 12
_question = attrgetter(*QUESTION)
_shown = attrgetter("benchmark", "probe", "metric")


def check_protocols(rows: Iterable[Row]) -> None:
    """Refuse rows that answer one question by several protocols.

    Raises:
        UserError: with benchmark, probe and metric of the questions, and the protocols of each.
    """
    found: dict[tuple[Any, ...], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        found[_question(row)].setdefault(row.protocol_hash, row)
    mixed: dict[tuple[str, str, str], list[Row]] = {}
    for by_hash in found.values():
        if len(by_hash) > 1:
            answers = list(by_hash.values())
            mixed.setdefault(_shown(answers[0]), answers)
    if mixed:
        lines = [f"  {', '.join(key)}: {', '.join(map(_who, mixed[key]))}" for key in sorted(mixed)]
        more = [f"  and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
        raise UserError(
            "results of mixed evaluation protocols cannot stand in one table (benchmark, probe, metric: protocols):\n"
            + "\n".join(lines[:_MOST_LINES] + more)
            + "\nevaluate all runs alike, or choose one protocol: --where protocol_hash=..."
        )


def _who(row: Row) -> str:
    return f"{row.protocol_hash[:8]} ({row.variant} {row.reading} seed {row.seed})"
