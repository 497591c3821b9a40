"""What finished cells cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import torch

from experiments.load import instantiate
from experiments.report.findings import Cost
from experiments.report.reading.curves import SPEED, Logged
from experiments.statistics import BASELINE, VariantKey

if TYPE_CHECKING:
    from experiments.ablation.cells import Cell


def read_costs(logged: Logged) -> Mapping[VariantKey, Cost]:
    """Costs of every variant and reading with a finished cell."""
    by_key: dict[VariantKey, list[Cell]] = {}
    clips: dict[VariantKey, list[float | None]] = {}
    for cell, by_tag in logged:
        key = VariantKey(cell.variant, cell.reading)
        by_key.setdefault(key, []).append(cell)
        clips.setdefault(key, []).append(median(by_tag[SPEED].values) if SPEED in by_tag else None)
    speeds = {key: _mean(values) for key, values in clips.items()}
    return {key: _cost(key, cells, speeds) for key, cells in by_key.items()}


def _cost(key: VariantKey, cells: Sequence[Cell], speeds: Mapping[VariantKey, float | None]) -> Cost:
    own, baseline = speeds[key], speeds.get(VariantKey(BASELINE, key.reading))
    steps = (cells[0].settings.get("trainer") or {}).get("max_steps")
    return Cost(
        fit_seconds=_mean(_said(cell, "seconds", "fit") for cell in cells),
        evaluation_seconds=_mean(_said(cell, "seconds", "evaluation") for cell in cells),
        parameters=_parameters(cells[0]),
        steps=steps if isinstance(steps, int) and steps > 0 else None,
        step_ratio=baseline / own if own and baseline else None,
        peak_bytes=_mean(_said(cell, "peak_rss_bytes") for cell in cells),
    )


def _said(cell: Cell, *names: str) -> float | None:
    """A number of ``DONE.json``; 0 says that the stage was not run, because it had been before."""
    value: Any = cell.done
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, (int, float)) and value > 0 else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _parameters(cell: Cell) -> int | None:
    """Trained parameters of the whole model, made without its weights."""
    if "model" not in cell.settings:
        return None
    with torch.device("meta"):
        model = instantiate(dict(cell.settings), "model", cell.label, hint="")
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
