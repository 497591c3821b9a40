"""The end of an ablation: table of results, report and boards, from whatever is finished."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from experiments.ablation.planning import Plan
from experiments.ablation.state import finished, result_files
from experiments.results.table import CSV, TABLE, collect, write_table

Say = Callable[[str], Any]


def finish(plan: Plan, say: Say = print) -> bool:
    """Write the table of all finished cells of the folder, the report and the boards.

    Returns:
        Whether there was anything to write about.

    Raises:
        UserError: results of mixed protocols, or a folder that cannot be written.
    """
    done, folder = finished(plan.cells), plan.ablation.folder
    for line in lacking_lines(plan):
        say(line)
    if not done:
        say("no cell is finished: there is nothing to report")
        return False
    table = collect(result_files(done))
    write_table(folder, table)
    say(f"results: {len(table):,} rows of {len(done)} cells in {folder / TABLE} and {folder / CSV}")
    from experiments.boards import write_boards
    from experiments.report import write_ablation_report

    paths = write_ablation_report(folder, plan.cells, plan.ablation)
    say(f"\n{paths.text}\n")
    say(f"report: {paths.html} and {paths.markdown}")
    write_boards(folder, done)
    say(f"boards: tensorboard --logdir {folder} --host 127.0.0.1")
    return True


def lacking_lines(plan: Plan) -> list[str]:
    """Cells that are not finished and why, one a line."""
    return [f"  {cell.label}: {state}" for cell, state in plan.lacking.items()]
