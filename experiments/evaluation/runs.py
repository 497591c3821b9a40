"""The frozen evaluation of finished runs, on the data they were trained on or on any benchmark."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.tensorboard import SummaryWriter

from data_modules.base import ClipDataModule
from data_modules.generated.cache import cache_root
from data_modules.named import make_data
from experiments.evaluation.analyses.base import Analysis, Report
from experiments.evaluation.evaluate import evaluate
from experiments.evaluation.from_model import init_control, model_subject, pixel_control
from experiments.evaluation.plan import EvaluationPlan
from experiments.evaluation.presentation.outcome import log_outcome
from experiments.evaluation.ranks import ALONE, Ranks
from experiments.evaluation.subjects import Subject
from experiments.load import load_data, load_model, pretraining_stamp
from experiments.results import merge_rows
from experiments.runs import Run, reopen
from vjepa.errors import UserError
from vjepa.module import VideoJEPA

if TYPE_CHECKING:
    from lightning.pytorch import Trainer


def feature_folder(chosen: str | None = None) -> Path:
    """Where cached features are kept: as asked, else beside the generated data of this machine."""
    return Path(chosen) if chosen else cache_root() / "features"


def open_benchmarks(
    benchmarks: Mapping[str, Mapping[str, Any]] | None, trained_on: ClipDataModule, run: Run
) -> list[ClipDataModule]:
    """Data modules to evaluate on, prepared and set up.

    Args:
        benchmarks: options of each by name; None is what the run was trained on.
        trained_on: that.
        run: gives the shape of clips where the options do not.

    Raises:
        UserError: an unknown benchmark or option, or its files are not there.
    """
    if benchmarks is None:
        return [trained_on]
    shared = {"num_frames": trained_on.num_frames, "size": trained_on.size, "batch_size": trained_on.batch_size}
    found = []
    for name, options in benchmarks.items():
        data = make_data(name, options, shared | {"num_workers": trained_on.num_workers})
        data.prepare_data()
        data.setup("test")
        found.append(data)
    return found


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
    step = checkpoint_step(run)
    subjects = subjects_of(run, model, step, run.settings["run"]["variant"], controls)
    for benchmark in open_benchmarks(benchmarks, data, run):
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
            keep(run, report)
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


def keep(run: Run, report: Report) -> None:
    """Add rows to those of the run."""
    merge_rows(run.results, report.rows)


def checkpoint_step(run: Run) -> int:
    """Optimizer steps behind the weights of a run.

    Raises:
        UserError: the run has no checkpoint.
    """
    try:
        return int(json.loads(run.done_mark.read_text())["step"])
    except (OSError, ValueError, KeyError):
        pass
    try:
        return int(torch.load(run.last_checkpoint, weights_only=True, mmap=True, map_location="cpu")["global_step"])
    except (OSError, RuntimeError, KeyError) as error:
        raise UserError(
            f"{run.folder} has no checkpoint to evaluate ({error}); repeat its vjepa fit command"
        ) from error


def evaluate_runs(
    runs: Sequence[Run],
    benchmarks: Mapping[str, Mapping[str, Any]] | None,
    analyses: Sequence[Analysis],
    plan: EvaluationPlan,
    *,
    out: Path | None = None,
    cache: str | None = None,
    controls: bool = True,
    device: str = "cpu",
) -> list[tuple[Path, Report]]:
    """Evaluate finished runs side by side: each clip is decoded and damaged once for all of them.

    Args:
        runs: one or more, finished.
        benchmarks: as ``open_benchmarks``; None is the data of the first run.
        analyses, plan: what is asked.
        out: folder of the results; None is the folder of the run, where there is only one.
        cache: folder of cached features.
        controls: judge random initialisations (one for each seed) and raw pixels too.
        device: of the encoders.

    Returns:
        Folder and report of each evaluation.

    Raises:
        UserError: several runs without ``out``, or a run of another clip shape than the first.
    """
    if out is None and len(runs) > 1:
        raise UserError(f"{len(runs)} runs are compared: say where the results go with --out FOLDER")
    trained_on = load_data(runs[0])
    subjects: list[Subject] = []
    seeds: set[int] = set()
    for number, run in enumerate(runs):
        model = load_model(run).to(device)
        own = subjects_of(run, model, checkpoint_step(run), label_of(run), controls and model.seed not in seeds)
        seeds.add(model.seed)
        subjects += [one for one in own if number == 0 or one.stamp.weights != "pixels"]
    evaluated = []
    for benchmark in open_benchmarks(benchmarks, trained_on, runs[0]):
        folder = evaluation_folder(runs[0], benchmark) if out is None else out / benchmark.name
        report = evaluate(subjects, benchmark, plan, analyses, out_dir=folder, cache_folder=feature_folder(cache))
        for run in runs:
            own_rows = tuple(row for row in report.rows if row.config_hash == run.config_hash)
            keep(run, Report(own_rows))
        evaluated.append((folder, report))
    return evaluated


def label_of(run: Run) -> str:
    """Name of a run in tables: its variant, reading and seed."""
    settings = run.settings
    return f"{settings['run']['variant']} {settings['model']['reading']} seed {settings['seed_everything']}"
