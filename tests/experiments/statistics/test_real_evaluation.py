"""Samples of a real evaluation average to the rows that it wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.evaluation.analyses.classification import CorruptionRobustness
from experiments.evaluation.analyses.subspaces import SubspaceRobustness
from experiments.evaluation.evaluate import CLIP_VALUES, DONE, PREDICTIONS, RESULTS, evaluate
from experiments.evaluation.from_model import init_control, model_subject, pixel_control
from experiments.evaluation.plan import EvaluationPlan
from experiments.evaluation.subjects import Subject
from experiments.results import Row, RowStamp, files, read_rows
from experiments.statistics import Analysis, analyse
from experiments.statistics.measured import key_of
from vjepa.corruptions import PROFILES, Profile
from vjepa.module import VideoJEPA

PROFILE = Profile("some", ("gaussian_noise", "fog", "frame_freeze", "h264_crf", "reverse"), (1, 3))
PLAN = EvaluationPlan(("linear_time", "knn"), num_train=60, num_val=30, num_test=40)
TASKS = ("colour", "order", "noise")


@pytest.fixture(scope="module")
def folder(fake_data: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A variant in both readings and its controls; every fifth clip has no label of one task."""
    found = tmp_path_factory.mktemp("evaluation")
    subjects: list[Subject] = []
    for reading in ("as_described", "as_released"):
        model = VideoJEPA(preset="tiny", patch_size=8, reading=reading).eval()  # type: ignore[arg-type]
        for parameter in model.target.teacher.parameters():  # type: ignore[union-attr]
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
        stamp = RowStamp("fake", "fake", "fwm", reading, "whole", 0, 9, "teacher", reading)
        if not subjects:
            subjects += [pixel_control(model, stamp), init_control(model, stamp)]
        subjects.append(model_subject(model, stamp, reading))
    subjects = [replace(one, views=tuple(view for view in one.views if "random" not in view.name)) for one in subjects]
    analyses = [CorruptionRobustness(PROFILE), SubspaceRobustness(PROFILE, 3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PROFILES, PROFILE.name, PROFILE)
        evaluate(subjects, fake_data, PLAN, analyses, out_dir=found, progress=False, say=lambda line: None)
        yield found


@pytest.fixture(scope="module")
def found(folder: Path) -> Analysis:
    return analyse([folder], profile=PROFILE.name)


@pytest.fixture(scope="module")
def rows(folder: Path) -> dict[tuple[Any, ...], Row]:
    """Rows by what they say of whom."""
    return {
        (key_of(stamp(row)), row.benchmark, row.probe, row.subspace, row.metric, row.corruption): row
        for row in read_rows(folder / RESULTS)
        if row.split == "test"
    }


def stamp(row: Row) -> RowStamp:
    return RowStamp(**{name: getattr(row, name) for name in RowStamp.__dataclass_fields__})


def test_the_files_of_an_evaluation() -> None:
    assert (files.RESULTS, files.PREDICTIONS, files.CLIP_VALUES, files.DONE) == (
        RESULTS,
        PREDICTIONS,
        CLIP_VALUES,
        DONE,
    )


def test_mean_performance_and_accuracy_equal_the_rows(found: Analysis, rows: dict[tuple[Any, ...], Row]) -> None:
    checked = 0
    for one in found.samples:
        benchmark, probe = one.endpoint.benchmark, one.endpoint.probe
        if one.endpoint.name == "SSI":
            continue
        metric, corruption = ("mpc_some", "some") if one.endpoint.name == "mPC" else ("top1", "none")
        tasks = [benchmark] if "/" in benchmark else [f"fake/{task}" for task in TASKS]
        said = [rows[one.key, task, probe, "whole", metric, corruption] for task in tasks]
        expected = sum(row.value * row.n for row in said) / sum(row.n for row in said)
        assert one.seeds == (0,)
        assert one.values.mean() == pytest.approx(expected, abs=1e-6), (one.endpoint, one.key)
        checked += 1
    # Four encoders, two probes: mPC of the whole and of each task, accuracy of each task.
    assert checked == 4 * 2 * (1 + 3 + 3)
    assert {len(one.clips) for one in found.samples if one.endpoint.benchmark == "fake"} == {40}
    order = {len(one.clips) for one in found.samples if one.endpoint.benchmark == "fake/order"}
    assert order == {rows[found.samples[0].key, "fake/order", "knn", "whole", "top1", "none"].n} and order < {
        *range(40)
    }


def test_selectivity_equals_the_rows(found: Analysis, rows: dict[tuple[Any, ...], Row]) -> None:
    checked = set()
    for one in found.samples:
        if one.endpoint.name == "SSI":
            row = rows[one.key, "fake", "none", one.endpoint.probe, "ssi_some", "some"]
            assert one.values.mean() == pytest.approx(row.value, abs=1e-6)
            checked.add((*one.key, one.endpoint.probe))
    assert checked == {
        ("fwm", "as_described", "within_level"),
        ("fwm", "as_released", "by_level"),
        ("random_init", "none", "within_level"),
        ("random_init", "none", "by_level"),
    }
