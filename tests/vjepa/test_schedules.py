"""Schedules: the study's numbers, and their ends by hand."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Golden
from vjepa.schedules import cosine, linear, ramp, warmup_cosine

EXACT = {"rel": 1e-12, "abs": 1e-18}


@pytest.mark.parametrize("tag", ["mixed", "synth", "generic"])
def test_learning_rate_and_weight_decay_equal_the_study(golden: Golden, tag: str) -> None:
    case = golden("schedules")
    args = json.loads(str(case[f"{tag}_args"]))
    per_epoch = args["iterations_per_epoch"]
    total = int(args["ipe_scale"] * args["num_epochs"] * per_epoch)
    steps = case[f"{tag}_call"].tolist()
    rates = [
        warmup_cosine(
            step, start=args["start_lr"], peak=args["ref_lr"], final=args["final_lr"],
            warmup=int(args["warmup"] * per_epoch), total=total,
        )
        for step in steps
    ]  # fmt: skip
    decays = [cosine(step, start=args["wd"], final=args["final_wd"], total=total) for step in steps]
    assert rates == pytest.approx(case[f"{tag}_lr"].tolist(), **EXACT)
    assert decays == pytest.approx(case[f"{tag}_wd"].tolist(), **EXACT)


def test_context_ramp_equals_the_study(golden: Golden) -> None:
    case = golden("schedules")
    factors = [0.5 * ramp(step, first=15_000, last=30_000) for step in case["lambda_iter"].tolist()]
    assert factors == pytest.approx(case["lambda_value"].tolist(), **EXACT)


def test_momentum_equals_the_study(golden: Golden) -> None:
    values = [linear(step, start=0.99925, final=0.99925, total=30_000) for step in (0, 1, 29_999)]
    assert values == pytest.approx(golden("schedules")["ema"].tolist(), **EXACT)


@pytest.mark.parametrize(("step", "rate"), [(1, 1.1), (5, 1.5), (9, 1.9), (10, 2.0), (60, 1.25), (110, 0.5)])
def test_warmup_then_half_a_cosine(step: int, rate: float) -> None:
    assert warmup_cosine(step, start=1.0, peak=2.0, final=0.5, warmup=10, total=110) == pytest.approx(rate)


@pytest.mark.parametrize(("start", "final"), [(0.04, 0.4), (0.4, 0.04)])
def test_cosine_goes_up_or_down(start: float, final: float) -> None:
    assert cosine(0, start=start, final=final, total=10) == pytest.approx(start)
    assert cosine(5, start=start, final=final, total=10) == pytest.approx((start + final) / 2)
    assert cosine(10, start=start, final=final, total=10) == pytest.approx(final)


@pytest.mark.parametrize(("step", "factor"), [(0, 0.0), (9, 0.0), (10, 0.0), (15, 0.5), (20, 1.0), (99, 1.0)])
def test_ramp(step: int, factor: float) -> None:
    assert ramp(step, first=10, last=20) == factor


def test_an_empty_ramp_is_on_from_the_start() -> None:
    assert ramp(0, first=0, last=0) == 1.0


@pytest.mark.parametrize(("step", "value"), [(0, 0.9), (5, 0.95), (10, 1.0), (20, 1.0)])
def test_linear(step: int, value: float) -> None:
    assert linear(step, start=0.9, final=1.0, total=10) == pytest.approx(value)


@pytest.mark.parametrize("step", [101, 150, 200])
def test_schedules_hold_their_final_value(step: int) -> None:
    assert warmup_cosine(step, start=1.0, peak=2.0, final=0.5, warmup=10, total=100) == 0.5
    assert cosine(step, start=0.04, final=0.4, total=100) == pytest.approx(0.4)
    assert cosine(step, start=0.4, final=0.04, total=100) == pytest.approx(0.04)
