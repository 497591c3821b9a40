"""When an ablation will be finished, from its finished cells and from what its cells were expected to cost."""

from __future__ import annotations

import heapq
import json
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.ablation.cells import Cell
from experiments.ablation.process_pulse import Pulse, read_pulse

STAGES = ("fit", "evaluation")
_TRUSTED_FRACTION = 0.05
"""Of a training run: from here on its own speed says more than what others took."""


@dataclass(frozen=True)
class Pace:
    """What cells take, learned from the finished ones.

    Args:
        ratio: by stage, measured time over expected time.
        mean: by stage, mean measured time in seconds, for cells of which nothing was expected.
    """

    ratio: dict[str, float]
    mean: dict[str, float]

    def seconds(self, cell: Cell, stage: str) -> float | None:
        """Expected time of a stage, None if nothing is known about it."""
        if cell.cost is not None:
            expected = cell.cost.fit if stage == "fit" else cell.cost.evaluation
            return expected * self.ratio.get(stage, 1.0)
        return self.mean.get(stage)


def learn_pace(cells: Sequence[Cell]) -> Pace:
    """What the finished cells of a plan took."""
    found = [(cell, seconds) for cell in cells if (seconds := seconds_taken(cell)) is not None]
    ratio, mean = {}, {}
    for stage in STAGES:
        # A training run that was there before says nothing about one that is not.
        taken = [(cell, seconds[stage]) for cell, seconds in found if seconds.get(stage, 0.0) > 0]
        if taken:
            mean[stage] = sum(seconds for _, seconds in taken) / len(taken)
        costs = [(getattr(cell.cost, stage), seconds) for cell, seconds in taken if cell.cost is not None]
        if expected := sum(cost for cost, _ in costs):
            ratio[stage] = sum(seconds for _, seconds in costs) / expected
    return Pace(ratio, mean)


def seconds_taken(cell: Cell) -> dict[str, float] | None:
    """Time of a finished cell by stage; None if it is not finished."""
    try:
        said = json.loads(cell.done_mark.read_text())
        return {stage: float(said["seconds"][stage]) for stage in STAGES} if said["hash"] == cell.hash else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def seconds_left(waiting: Sequence[Cell], running: Sequence[Cell], pace: Pace, num_slots: int) -> float | None:
    """Time until the last cell is finished, if each starts as soon as there is room for it.

    Args:
        waiting: cells in the order of the plan.
        running: cells at work.
        pace: see ``learn_pace``.
        num_slots: room.

    Returns:
        Seconds, or None if nothing is known about one of the cells.
    """
    loads = [(left_of(cell, read_pulse(cell.heartbeat), pace), cell.devices) for cell in running]
    loads += [(_whole(cell, pace), cell.devices) for cell in waiting]
    free = [0.0] * num_slots
    for seconds, devices in loads:
        if seconds is None:
            return None
        taken = [heapq.heappop(free) for _ in range(min(devices, num_slots))]
        for _ in taken:
            heapq.heappush(free, max(taken) + seconds)
    return max(free)


def left_of(cell: Cell, pulse: Pulse | None, pace: Pace) -> float | None:
    """Time that a running cell still needs; None if nothing is known."""
    if pulse is None:
        return _whole(cell, pace)
    evaluation = pace.seconds(cell, "evaluation")
    if pulse.stage == "evaluation":
        return None if evaluation is None else max(0.0, evaluation - pulse.seconds.get("evaluation", 0.0))
    spent = pulse.seconds.get("fit", 0.0)
    fraction = pulse.step / pulse.num_steps if pulse.num_steps else 0.0
    expected = pace.seconds(cell, "fit")
    if fraction >= _TRUSTED_FRACTION:
        fit: float | None = spent * (1 - fraction) / fraction
    else:
        fit = None if expected is None else max(0.0, expected - spent)
    return None if fit is None or evaluation is None else fit + evaluation


def _whole(cell: Cell, pace: Pace) -> float | None:
    parts = [pace.seconds(cell, stage) for stage in STAGES]
    return None if None in parts else sum(part for part in parts if part is not None)


def duration(seconds: float) -> str:
    """A time that people read: ``45 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
