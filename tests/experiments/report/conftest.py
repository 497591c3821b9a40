"""Synthetic result rows whose numbers a reader can check by eye."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from experiments.results import Row
from tests.experiments.report.made import FLOORS, TASKS, make_row

# (variant, weights) -> accuracy on each task by the time-resolved linear and by the attentive probe.
ACCURACIES = {
    ("pixels", "pixels"): ((0.160, 0.150), (0.200, 0.215), (0.610, 0.630)),
    ("baseline", "init"): ((0.119, 0.121), (0.244, 0.605), (0.880, 0.775)),
    ("baseline", "teacher"): ((0.193, 0.204), (0.482, 0.470), (0.960, 0.933)),
    ("fwm_hw_ld", "teacher"): ((0.181, 0.190), (0.471, 0.455), (0.951, 0.940)),
}


def make_rows(seeds: tuple[int, ...] = (0, 1, 2), corruptions: tuple[str, ...] = ()) -> list[Row]:
    """All cells of ``ACCURACIES``; seed k scores k/1000 above the first, a corruption costs a tenth each."""
    rows = []
    for (variant, weights), tasks in ACCURACIES.items():
        for task, values in zip(TASKS, tasks, strict=True):
            for probe, value in zip(("linear_time", "attentive"), values, strict=True):
                for seed in seeds[:1] if weights == "pixels" else seeds:
                    for cost, corruption in enumerate(("none", *corruptions)):
                        names = {
                            "variant": variant,
                            "layout": "by_level" if "fwm" in variant else "whole",
                            "weights": weights,
                            "step": 0 if weights in ("init", "pixels") else 2000,
                            "benchmark": f"glyphs/{task}",
                            "probe": probe,
                            "seed": seed,
                            "corruption": corruption,
                            "severity": 3 if cost else 0,
                        }
                        accuracy = (value + seed / 1000) * (1 - 0.1 * cost)
                        rows.append(make_row(**names, value=accuracy))
                        rows.append(make_row(**names, metric="majority_rate", value=FLOORS[task]))
                        rows.append(make_row(**names, metric="constant_predictor", value=0.0))
    return rows


@pytest.fixture(name="make_row")
def _make_row() -> Callable[..., Row]:
    return make_row


@pytest.fixture(name="make_rows")
def _make_rows() -> Callable[..., list[Row]]:
    return make_rows
