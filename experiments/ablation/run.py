"""One ablation from its request to its report."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.ablation.check import check_cells, prepare_data
from experiments.ablation.cost import with_costs
from experiments.ablation.durations import durations_near
from experiments.ablation.engine import Engine
from experiments.ablation.finish import finish
from experiments.ablation.lock import hold
from experiments.ablation.planning import Plan, plan_folder, plan_request
from experiments.ablation.record import write_record
from experiments.ablation.request import Request
from experiments.ablation.show import show_plan
from experiments.cli import DONE, FAILED, RESUMABLE
from vjepa.errors import UserError


def run_ablation(request: Request, engine: Engine, *, dry_run: bool = False) -> int:
    """Plan, run what is missing, and write table, report and boards.

    Returns:
        Exit code: 0 with every asked cell finished or left to a cluster, 1 where one failed, 75 after an interruption.

    Raises:
        UserError: the request or the folder is wrong, or another process is at work there; nothing has been written.
    """
    plan = plan_request(request)
    check_cells(plan.open)
    show_plan(plan, with_costs(plan.asked, durations_near(plan.ablation)), engine.slots, whole=dry_run)
    if dry_run:
        return DONE
    file = plan.ablation.file
    before = file.read_text() if file.is_file() else None
    with hold(plan.ablation.folder, "vjepa ablation"):
        if before != (file.read_text() if file.is_file() else None):
            raise UserError(f"{file} was changed by another command while this one planned: repeat it")
        return _run(plan, engine)


def _run(plan: Plan, engine: Engine) -> int:
    waiting = plan.open
    outcome = None
    if waiting:
        prepare_data(waiting[0])
        write_record(plan.ablation, plan.asked)
        outcome = engine.run(with_costs(waiting, durations_near(plan.ablation)), plan.ablation.folder)
    if outcome is not None and outcome.interrupted:
        print("stopped; now the report of what is finished (Ctrl-C leaves it out)", flush=True)
    finish(plan)
    if outcome is not None and outcome.interrupted:
        print("the same command goes on with the rest")
        return RESUMABLE
    left = [cell.label for cell in plan.open]
    if outcome is not None and left and all(label in outcome.pending for label in left):
        print(f"{len(left)} cells are left to the cluster: vjepa report {plan.ablation.folder} shows what is finished")
        return DONE
    return FAILED if left else DONE


def report(options: Sequence[str]) -> int:
    """``vjepa report``."""
    parser = argparse.ArgumentParser("vjepa report", description="Write table, report and boards of an ablation again.")
    parser.add_argument("folder", type=Path, help="folder of vjepa ablation or vjepa demo")
    plan = plan_folder(parser.parse_args(list(options)).folder)
    return DONE if finish(plan) and not plan.lacking else FAILED
