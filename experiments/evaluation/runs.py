"""The frozen evaluation of finished runs, on the data they were trained on or on any benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from data_modules.base import ClipDataModule
from experiments.checkpoints import read_step
from experiments.evaluation.analyses.base import Analysis, Report
from experiments.evaluation.benchmarks import feature_folder, open_benchmarks
from experiments.evaluation.evaluate import evaluate
from experiments.evaluation.external import external_subjects, open_external, pixels_beside
from experiments.evaluation.from_model import init_control, model_subject, pixel_control
from experiments.evaluation.plan import EvaluationPlan
from experiments.evaluation.presentation.outcome import log_outcome
from experiments.evaluation.ranks import ALONE, Ranks
from experiments.evaluation.subjects import Subject
from experiments.load import instantiate, load_data, load_model, pretraining_stamp
from experiments.results import merge_rows
from experiments.runs import Run, reopen
from vjepa.errors import UserError
from vjepa.module import VideoJEPA

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

CONTROLS = ("init", "pixels")
"""Weights of subjects that learned nothing."""


def subjects_of(run: Run, model: VideoJEPA, step: int, label: str, controls: bool) -> list[Subject]:
    """Controls of a run, if asked for, then the weights that its reading evaluates."""
    stamp = pretraining_stamp(run, model, step)
    subjects = [model_subject(model, stamp, label)]
    if controls:
        subjects = [pixel_control(model, stamp), init_control(model, stamp), *subjects]
    return subjects


def evaluate_tested(
    trainer: Trainer,
    model: VideoJEPA,
    plan: EvaluationPlan,
    analyses: Sequence[Analysis],
    benchmarks: Mapping[str, Mapping[str, Any]] | None,
    *,
    controls: bool,
    cache: str | None,
    ranks: Ranks = ALONE,
) -> None:
    """Evaluate the run that ``vjepa test`` has just tested; results go into its folder and to TensorBoard."""
    run = reopen(Path(trainer.default_root_dir))
    data: ClipDataModule = trainer.datamodule  # type: ignore[attr-defined]
    assert trainer.ckpt_path is not None
    step = read_step(Path(trainer.ckpt_path))
    subjects = subjects_of(run, model, step, run.settings["run"]["variant"], controls)
    for benchmark in open_benchmarks(benchmarks, data, ranks):
        report = evaluate(
            subjects,
            benchmark,
            plan,
            analyses,
            out_dir=evaluation_folder(run, benchmark),
            cache_folder=feature_folder(cache),
            ranks=ranks,
        )
        if ranks.is_first:
            merge_rows(run.results, report.rows)
            with event_writer(trainer, run) as writer:
                log_outcome(report, evaluation_folder(run, benchmark), writer, step)


@contextmanager
def event_writer(trainer: Trainer, run: Run) -> Iterator[SummaryWriter]:
    """Yield the writer of the trainer's event files, or one of its own for a trainer that has none."""
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            yield logger.experiment
            return
    with SummaryWriter(str(run.folder)) as writer:
        yield writer


def evaluation_folder(run: Run, benchmark: ClipDataModule) -> Path:
    """Where the evaluation of a run on a benchmark is kept."""
    return run.folder / "evaluation" / benchmark.name


def evaluate_runs(
    runs: Sequence[Run],
    benchmarks: Mapping[str, Mapping[str, Any]] | None,
    analyses: Sequence[Analysis],
    plan: EvaluationPlan,
    *,
    others: Sequence[str] = (),
    out: Path | None = None,
    cache: str | None = None,
    controls: bool = True,
    device: str = "cpu",
) -> list[tuple[Path, Report]]:
    """Evaluate finished runs and foreign encoders side by side: each clip is decoded and damaged once for all of them.

    Args:
        runs: finished.
        benchmarks: as ``open_benchmarks``; None is the data of the first run.
        analyses, plan: what is asked.
        others: foreign encoders by name; there is at least one of them, or one run.
        out: folder of the results; None is the folder of the run, where there is only one.
        cache: folder of cached features.
        controls: judge random initialisations (one for each seed) and raw pixels too.
        device: of the encoders.

    Returns:
        Folder and report of each evaluation.

    Raises:
        UserError: a run given twice, several without ``out``, a run of another clip shape than the first, a foreign
            encoder alone without ``benchmarks``, ``out`` or a whole to look at, or no such device.
    """
    if out is None and len(runs) + len(others) > 1:
        raise UserError(f"{len(runs) + len(others)} encoders are compared: say where the results go with --out FOLDER")
    hashes = [run.config_hash for run in runs]
    if repeated := next((run for run in runs if hashes.count(run.config_hash) > 1), None):
        raise UserError(f"{repeated.folder} is given twice, or with a copy of it: name each experiment once")
    _check_others(others, len(runs), benchmarks is not None, out is not None, plan)
    check_device(device)
    _check_shapes(runs)
    trained_on = load_data(runs[0]) if runs else None
    subjects: list[Subject] = []
    for run in runs:
        model = load_model(run).to(device)
        _add(subjects, subjects_of(run, model, read_step(run.last_checkpoint), label_of(run), controls))
    for word in others:
        _add(subjects, external_subjects(open_external(word), device, controls))
    if others:
        tqdm.write(f"{', '.join(others)}: looked at as a whole, without subspaces and the surprise of a predictor")
    evaluated = []
    for benchmark in open_benchmarks(benchmarks, trained_on):
        folder = evaluation_folder(runs[0], benchmark) if out is None else out / benchmark.name
        pixels = [pixels_beside(subjects[-1], benchmark)] if controls and not runs else []
        compared = distinct([*pixels, *subjects])
        report = evaluate(compared, benchmark, plan, analyses, out_dir=folder, cache_folder=feature_folder(cache))
        for run in runs:
            merge_rows(run.results, (row for row in report.rows if row.config_hash == run.config_hash))
        evaluated.append((folder, report))
    return evaluated


def _add(subjects: list[Subject], own: Sequence[Subject]) -> None:
    """Add those of one encoder, but for controls that are there: of one seed and architecture they are the same."""
    known = {subject.digest for subject in subjects if subject.stamp.weights in CONTROLS}
    subjects += [one for one in own if one.stamp.weights not in CONTROLS or one.digest not in known]


def distinct(subjects: Sequence[Subject]) -> list[Subject]:
    """The subjects, where labels are equal with what tells them apart: the seed, else the configuration."""
    for tell in (lambda stamp: f"seed {stamp.seed}", lambda stamp: stamp.config_hash[:8]):
        labels = [subject.label for subject in subjects]
        subjects = [
            replace(one, label=f"{one.label} {tell(one.stamp)}") if labels.count(one.label) > 1 else one
            for one in subjects
        ]
    return list(subjects)


def _check_others(
    others: Sequence[str], num_runs: int, has_benchmark: bool, has_out: bool, plan: EvaluationPlan
) -> None:
    """Refuse what foreign encoders do not have: data of their own, a folder, parts."""
    if not others:
        return
    if repeated := next((word for word in others if others.count(word) > 1), None):
        raise UserError(f"{repeated} is given twice: name each encoder once")
    if not num_runs and not has_benchmark:
        raise UserError(f"{others[0]} was trained on no data of this project: name what to show it, --benchmark NAME")
    if not num_runs and not has_out:
        raise UserError(f"{others[0]} has no folder of its own: say where the results go with --out FOLDER")
    if not num_runs and plan.subspaces:
        raise UserError(
            f"--subspaces {','.join(plan.subspaces)}: {others[0]} is looked at as a whole; levels and halves are parts "
            "of the encoders of this project"
        )


def check_device(device: str) -> None:
    """Refuse a device that torch cannot use here.

    Raises:
        UserError: it cannot.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"device {device!r} cannot be used ({str(error).splitlines()[0]}); expected cpu, cuda, ..."
        ) from error


def _check_shapes(runs: Sequence[Run]) -> None:
    """Refuse runs that saw clips of different shapes: there is none that all of them could be shown."""
    shapes = {}
    for run in runs:
        data: ClipDataModule = instantiate(run.settings, "data", str(run.config))
        shapes[run] = f"{data.num_frames} frames of {data.size} px"
    other = next((run for run in runs if shapes[run] != shapes[runs[0]]), None)
    if other is not None:
        raise UserError(
            f"{other.folder} was trained on clips of {shapes[other]}, {runs[0].folder} of {shapes[runs[0]]}: runs that "
            "are compared need clips of one shape; evaluate them apart"
        )


def label_of(run: Run) -> str:
    """Name of a run in tables: its variant, reading and seed."""
    settings = run.settings
    return f"{settings['run']['variant']} {settings['model']['reading']} seed {settings['seed_everything']}"
