"""The numbers of a frozen evaluation for a terminal, and what they cannot say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from textwrap import wrap

from experiments.evaluation.presentation.boards import Board, Standing, make_boards
from experiments.evaluation.presentation.selectivity_rows import (
    LAYOUTS,
    LayoutSelectivity,
    SubspaceBoard,
    make_subspace_boards,
)
from experiments.evaluation.presentation.titles import is_control
from experiments.report.console import to_console
from experiments.report.document import MISSING, Column, Entry, Table
from experiments.report.scores import task_title
from experiments.report.tables import CONSTANT_MARK, percent
from experiments.report.wording import probe_name
from experiments.results import Row

WIDTH = 110
_GROUPS = ("spatial", "temporal", "codec")


def summary_text(rows: Iterable[Row]) -> str:
    """A table for each probe, one of subspaces where they were looked at, and the limits of both.

    Args:
        rows: of one evaluation.

    Returns:
        Lines of at most 110 characters where names allow; what the numbers cannot say comes last.
    """
    rows = list(rows)
    boards = make_boards(rows)
    subspaces = make_subspace_boards(rows)
    by_probe = groupby(sorted(boards, key=lambda board: board.probe), key=lambda board: board.probe)
    tables = [_table(list(own), profile) for _, of_probe in by_probe for own, profile in _by_profile(list(of_probe))]
    tables += [_subspace_table(board) for board in subspaces]
    texts = [to_console(table, WIDTH) for table in tables]
    return "\n\n".join([*texts, "\n".join(wrap(_limits(boards), WIDTH))])


def _by_profile(boards: Sequence[Board]) -> list[tuple[Sequence[Board], str]]:
    """The boards of one probe, once for each profile of theirs; an empty name where nothing was corrupted."""
    profiles = list(dict.fromkeys(profile for board in boards for profile in board.profiles))
    return [(boards, profile) for profile in profiles or [""]]


def _table(boards: Sequence[Board], profile: str) -> Table:
    has_order = any(math.isfinite(one.order_sensitivity) for board in boards for one in board.standings)
    groups = [group for group in _GROUPS if any(_has(board, f"mpc_{group}", profile) for board in boards)]
    columns = [Column("task", align="left"), Column("encoder", align="left")]
    columns += [Column(title, "clean") for title in ("top-1", "n", "majority")]
    if profile:
        columns += [Column(title, f"mPC, {profile}") for title in ("all", *groups)] + [Column("rPC*")]
    columns += [Column("OS")] if has_order else []
    made = []
    for board in boards:
        for one in board.standings:
            mark = CONSTANT_MARK if one.is_constant else ""
            texts = [task_title(board.benchmark), one.title, percent(one.clean.value) + mark]
            texts += [f"{one.clean.num_clips:,}", percent(one.clean.majority_rate)]
            if profile:
                means = [one.summary(name, profile) for name in ("mpc", *(f"mpc_{group}" for group in groups))]
                texts += [MISSING if math.isnan(mean) else percent(mean) for mean in means]
                texts.append(_number(one.summary("rpc_corrected", profile)))
            texts += [_number(one.order_sensitivity)] if has_order else []
            made.append(tuple(Entry(text) for text in texts))
    title = f"Test accuracy in %, {probe_name(boards[0].probe)}"
    return Table(title, tuple(columns), tuple(made), tuple(_notes(boards, profile, has_order)), num_keys=2)


def _has(board: Board, metric: str, profile: str) -> bool:
    return any(math.isfinite(one.summary(metric, profile)) for one in board.standings)


def _notes(boards: Sequence[Board], profile: str, has_order: bool) -> list[str]:
    standings = [one for board in boards for one in board.standings]
    notes = []
    if profile:
        notes.append("mPC: mean over corruptions and their severities. rPC*: (mPC - majority) / (clean - majority).")
    if has_order:
        notes.append(
            "OS, order sensitivity: 0 where shuffled frames cost nothing, 1 where they cost all that is above the "
            "majority rate; not in mPC."
        )
    if (profile or has_order) and any(math.isnan(one.margin) for one in standings):
        notes.append(
            f"{MISSING} Undefined: clean accuracy is not 3 standard errors above the majority-class rate, or the probe "
            "is constant."
        )
    if any(one.is_constant for one in standings):
        notes.append(f"{CONSTANT_MARK} Constant predictor: (nearly) all clips get one class; it measures no ability.")
    lost = max(one.num_excluded for one in standings)
    if lost:
        notes.append(f"Up to {lost:,} clips of a task are missing from n, because their files are broken.")
    return notes


def _subspace_table(board: SubspaceBoard) -> Table:
    cells = {(entry.stamp, entry.layout): entry for entry in board.entries}
    layouts = [layout for layout in LAYOUTS if any(key[1] == layout for key in cells)]
    columns = [Column("encoder", align="left")]
    columns += [Column(title, LAYOUTS[layout]) for layout in layouts for title in ("SSI", "p", "null p95")]
    titles = {entry.stamp: entry.title for entry in board.entries}
    made = [
        (Entry(titles[stamp]), *(Entry(text) for layout in layouts for text in _index(cells.get((stamp, layout)))))
        for stamp in board.stamps
    ]
    n = board.entries[0].num_clips
    return Table(
        f"Subspace Selectivity Index, {task_title(board.benchmark)}, {board.profile}, n = {n:,} test clips",
        tuple(columns),
        tuple(made),
        (
            "Positive where z_app moves under spatial and z_dyn under temporal corruptions. p: share of random "
            "divisions with an index as large; the same division of models that were not factorized is the other "
            "control.",
        ),
    )


def _index(entry: LayoutSelectivity | None) -> tuple[str, str, str]:
    if entry is None or math.isnan(entry.index):
        return MISSING, MISSING, MISSING
    return _number(entry.index, 3, sign=True), _number(entry.p_value, 3), _number(entry.null_p95, 3, sign=True)


def _number(value: float, digits: int = 2, sign: bool = False) -> str:
    """A number, without the minus of a rounded zero."""
    if math.isnan(value):
        return MISSING
    return f"{round(value, digits) + 0.0:{'+' if sign else ''}.{digits}f}".replace("-", "\u2212")


def _limits(boards: Sequence[Board]) -> str:
    standings: list[Standing] = [one for board in boards for one in board.standings]
    if not standings:
        return "No probe was judged on test clips."
    counts = sorted({one.clean.num_clips for one in standings})
    clips = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    runs = len({one.stamp for one in standings if not is_control(one.stamp)})
    each = "one training run" if runs == 1 else f"{runs} training runs, one a row"
    return (
        f"What these numbers cannot say: they come from {each}, judged on {clips} test clips a task. There is no "
        "interval over pretraining seeds, so another seed may put encoders in another order; vjepa ablation gives such "
        "intervals."
    )
