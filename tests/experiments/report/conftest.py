"""Synthetic result rows whose numbers a reader can check by eye."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from experiments.report import Comparison, ReportFacts, Scalars, TrainingCurve
from experiments.results import Row
from experiments.statistics import Difference

TASKS = ("appearance", "motion", "order")
FLOORS = {"appearance": 0.104, "motion": 0.131, "order": 0.172}
# (variant, weights) -> accuracy on each task by the time-resolved linear and by the attentive probe.
ACCURACIES = {
    ("pixels", "pixels"): ((0.160, 0.150), (0.200, 0.215), (0.610, 0.630)),
    ("baseline", "init"): ((0.119, 0.121), (0.244, 0.605), (0.880, 0.775)),
    ("baseline", "teacher"): ((0.193, 0.204), (0.482, 0.470), (0.960, 0.933)),
    ("fwm_hw_ld", "teacher"): ((0.181, 0.190), (0.471, 0.455), (0.951, 0.940)),
}


def make_row(**changes: object) -> Row:
    """A row of the baseline's teacher, with ``changes``."""
    columns: dict[str, object] = {
        "data": "glyphs",
        "regime": "glyphs",
        "variant": "baseline",
        "reading": "as_described",
        "layout": "whole",
        "seed": 0,
        "step": 2000,
        "weights": "teacher",
        "benchmark": "glyphs/motion",
        "split": "test",
        "probe": "linear_time",
        "subspace": "whole",
        "corruption": "none",
        "severity": 0,
        "metric": "top1",
        "value": 0.5,
        "n": 1000,
        "protocol_hash": "p",
        "config_hash": "c",
        "git_revision": "abc123",
        "versions": "torch 2",
    }
    return Row(**{**columns, **changes})  # type: ignore[arg-type]


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


@pytest.fixture
def facts() -> ReportFacts:
    """Provenance of an invented study."""
    return ReportFacts(
        title="Moving glyphs: factorized against whole latents",
        question="Does a factorized latent help the frozen representation on moving glyphs?",
        command="make demo",
        data="moving glyphs (32 px, 8 frames)",
        num_seeds=3,
        num_train=2000,
        num_val=500,
        num_test=1000,
        protocol_hashes={"linear_time": "0123456789ab", "attentive": "ba9876543210"},
        config_hashes={"baseline": "1111aaaa", "fwm_hw_ld": "2222bbbb"},
        git_revision="abc123def456",
        versions={"python": "3.11.9", "torch": "2.14.1"},
        machine="2 CPU cores",
        date="2026-01-02",
        caveats=("Glyphs are synthetic.",),
        tensorboard_command="tensorboard --logdir runs",
    )


@pytest.fixture
def curves() -> list[TrainingCurve]:
    """Two runs of two quantities."""
    steps = tuple(range(0, 2000, 20))
    return [
        TrainingCurve(
            label,
            {
                "loss": Scalars(steps, tuple(scale / (1 + step / 300) for step in steps)),
                "RankMe": Scalars(steps[::5], tuple(10 * scale + step / 100 for step in steps[::5])),
            },
        )
        for label, scale in (("baseline", 1.0), ("fwm_hw_ld", 1.3))
    ]


def make_comparisons(num_seeds: int = 3) -> list[Comparison]:
    """Pretraining against random init, factorized against whole: differences of means, +- 3 points."""
    pairs = {
        ("baseline", "its random init"): (("baseline", "teacher"), ("baseline", "init")),
        ("fwm_hw_ld", "baseline"): (("fwm_hw_ld", "teacher"), ("baseline", "teacher")),
    }
    found = []
    for (treatment, control), (a, b) in pairs.items():
        for column, probe in enumerate(("linear_time", "attentive")):
            for row, task in enumerate(TASKS):
                mean = ACCURACIES[a][row][column] - ACCURACIES[b][row][column]
                several = num_seeds > 1
                difference = Difference(
                    mean=mean,
                    low=mean - 0.03 if several else None,
                    high=mean + 0.03 if several else None,
                    num_seeds=num_seeds,
                    num_clips=1000,
                    per_seed=(mean,) * num_seeds,
                    seed_sd=0.0 if several else None,
                    clip_low=mean - 0.02,
                    clip_high=mean + 0.02,
                )
                found.append(Comparison(treatment, control, f"glyphs/{task}", probe, difference))
    return found


@pytest.fixture(name="make_row")
def _make_row() -> Callable[..., Row]:
    return make_row


@pytest.fixture(name="make_rows")
def _make_rows() -> Callable[..., list[Row]]:
    return make_rows


@pytest.fixture(name="make_comparisons")
def _make_comparisons() -> Callable[..., list[Comparison]]:
    return make_comparisons
