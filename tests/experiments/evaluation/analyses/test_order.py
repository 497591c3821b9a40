"""Order sensitivity by hand, and which classes are each other in reverse."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from data_modules.annotations.antonyms import TEMPLATES, antonyms
from data_modules.clips.datasets import Task
from data_modules.glyphs.spec import TASKS as GLYPH_TASKS
from data_modules.synth.draw import VELOCITIES
from data_modules.synth.spec import TASKS as SYNTH_TASKS
from experiments.evaluation.analyses.order import ORDER as PROFILE
from experiments.evaluation.analyses.order import OrderSensitivity
from experiments.evaluation.conditions import CLEAN
from tests.experiments.evaluation.analyses.made import COLOUR, ORDER, Probe, found, right_on, said, subject, table

N = 200
LABELS = torch.arange(N) % 4
SHUFFLED = {1: 160, 2: 150, 3: 140, 4: 110, 5: 60}
PARTNER = torch.tensor([1, 0, 3, 2])


def seen(constant: bool = False, tasks: tuple[Task, ...] = (ORDER,)) -> Any:
    classes = {CLEAN: right_on(LABELS, range(180), 4), ("static", 1): right_on(LABELS, range(50), 4)}
    for severity, right in SHUFFLED.items():
        classes["local_shuffle", severity] = right_on(LABELS, range(right), 4)
    # In reverse three quarters of the clips are taken for the partner of what they were taken for.
    clean = classes[CLEAN]
    classes["reverse", 1] = torch.where(torch.arange(N) < 150, PARTNER[clean], clean)
    if constant:
        classes = {condition: torch.zeros_like(LABELS) for condition in classes}
    return found(LABELS[:, None], tasks, {key: [said(value, 4)] for key, value in classes.items()})


def rows_of(**options: Any) -> Any:
    return table(OrderSensitivity().report(subject(), [Probe(num_classes=4)], seen(**options)).rows)


def test_all_order_probes_are_shown() -> None:
    shown = [("local_shuffle", severity) for severity in range(1, 6)]
    assert OrderSensitivity().conditions == (*shown, ("reverse", 1), ("static", 1))


def test_sensitivity_at_every_window_and_between_tubelets() -> None:
    rows = rows_of()
    for severity, right in SHUFFLED.items():
        assert rows["top1", "local_shuffle", severity].value == pytest.approx(right / N)
        assert rows["os", "local_shuffle", severity].value == pytest.approx((0.9 - right / N) / (0.9 - 0.25))
    inside, whole = rows["os", "local_shuffle", 1].value, rows["os", "local_shuffle", 5].value
    assert rows["os_between_tubelets", "local_shuffle", 5].value == pytest.approx(whole - inside)
    assert rows["top1", "static", 1].value == pytest.approx(0.25)


def test_flips_in_reverse() -> None:
    rows = rows_of()
    assert rows["flip_rate", "reverse", 1].value == pytest.approx(0.75)
    flips = rows["antonym_flip_rate", "reverse", 1]
    assert flips.value == pytest.approx(0.75) and flips.n == N


def test_only_classes_with_an_opposite_are_asked() -> None:
    task = Task("order", ("grow", "shrink", "fade_in", "still"), temporal=True)
    row = rows_of(tasks=(task,))["antonym_flip_rate", "reverse", 1]
    asked = right_on(LABELS, range(180), 4) < 2
    assert row.n == asked.sum() and row.value == pytest.approx(asked[:150].sum() / asked.sum())


def test_a_task_without_antonyms_has_no_such_row() -> None:
    colours = Task("appearance", ("a", "b", "c", "d"), temporal=False)
    assert ("antonym_flip_rate", "reverse", 1) not in rows_of(tasks=(colours,))


def test_a_constant_predictor_has_no_sensitivity() -> None:
    rows = rows_of(constant=True)
    assert math.isnan(rows["os", "local_shuffle", 5].value)
    assert rows["top_prediction_share", "local_shuffle", 5].value == 1


def test_nothing_of_it_is_a_mean_over_corruptions() -> None:
    assert not [row for row in rows_of().values() if row.metric.startswith(("mpc", "rpc", "gamma")) or not row.severity]
    assert {row.protocol_hash for row in rows_of().values()} != {Probe().protocol.hash}
    assert PROFILE.label_preserving == ()


def test_what_was_said_of_each_clip_is_kept() -> None:
    report = OrderSensitivity().report(subject(), [Probe(num_classes=4)], seen())
    assert [(block.corruption, block.severity) for block in report.predictions] == list(PROFILE.conditions)


def named(task: Task) -> set[frozenset[str]]:
    return {frozenset(task.classes[label] for label in pair) for pair in antonyms(task)}


def test_antonyms_of_the_generated_benchmarks() -> None:
    appearance, motion, order = GLYPH_TASKS
    assert antonyms(appearance) == () == antonyms(COLOUR)
    opposites = ("grow", "shrink"), ("fade_in", "fade_out"), ("approach", "leave")
    assert named(order) == {frozenset(pair) for pair in opposites}
    assert named(motion) == {frozenset(pair) for pair in (("circle_cw", "circle_ccw"), ("accelerate", "decelerate"))}
    pairs = named(SYNTH_TASKS[0])
    assert len(pairs) == 4
    for one, other in map(tuple, pairs):
        assert VELOCITIES[one] == tuple(-step for step in VELOCITIES[other])


def test_antonyms_of_templates_are_found_by_exact_name() -> None:
    classes = [name for pair in TEMPLATES for name in pair]
    assert len(set(classes)) == len(classes)
    assert all(name[0].isupper() and "[" not in name for name in classes)
    some = ("Closing something", "Holding something", "Opening something", "Moving something up")
    assert antonyms(Task("template", some, temporal=True)) == ((2, 0),)
    assert antonyms(Task("letters", ("N", "S", "E", "W"), False)) == ()
