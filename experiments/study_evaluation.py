"""Probes of one seed of a study: every variant, its random initialisation and raw pixels, on the same clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.evaluation.analyses.classification import CorruptionRobustness
from experiments.evaluation.evaluate import evaluate
from experiments.evaluation.from_model import init_control, model_subject, pixel_control
from experiments.evaluation.plan import EvaluationPlan
from experiments.evaluation.runs import checkpoint_step
from experiments.evaluation.subjects import Subject
from experiments.load import load_data, load_model, pretraining_stamp
from experiments.study_plan import Cell, Study


def evaluation_folder(study: Study, seed: int) -> Path:
    """Where results and predictions of a seed are kept."""
    return study.folder / "evaluation" / f"seed{seed}"


def evaluate_seed(study: Study, seed: int, cells: Sequence[Cell]) -> None:
    """Probe the runs of one seed with their controls, unless that has been done with the same inputs."""
    plan = EvaluationPlan(study.probes, num_train=study.num_train, num_test=study.num_test)
    analyses = [] if study.corruptions is None else [CorruptionRobustness(study.corruptions, options=plan.options)]
    evaluate(
        study_subjects(cells, with_pixels=seed == study.seeds[0]),
        load_data(cells[0].run),
        plan,
        analyses,
        out_dir=evaluation_folder(study, seed),
        cache_folder=study.folder / "features",
    )


def study_subjects(cells: Sequence[Cell], with_pixels: bool) -> list[Subject]:
    """Encoders of one seed: controls first, then each run with the weights its reading evaluates.

    Args:
        cells: the seed's runs.
        with_pixels: add raw pixels, which are the same for every seed.
    """
    subjects: list[Subject] = []
    for cell in cells:
        model = load_model(cell.run)
        stamp = pretraining_stamp(cell.run, model, checkpoint_step(cell.run))
        if not subjects:
            subjects += [pixel_control(model, stamp)] if with_pixels else []
            subjects.append(init_control(model, stamp))
        subjects.append(model_subject(model, stamp, f"{cell.variant} {cell.reading}"))
    return subjects
