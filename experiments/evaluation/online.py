"""Probes while a run trains: fixed clips of train and validation through the weights that evaluation would read."""

from __future__ import annotations

import shutil
from pathlib import Path

from lightning.pytorch import Trainer

from data_modules.base import ClipDataModule
from experiments.evaluation.analyses.rows import RowMaker, benchmark_names, num_labelled
from experiments.evaluation.features.cache import DataKey, FeatureCache
from experiments.evaluation.features.reading import choose_indices
from experiments.evaluation.features.sources import make_source
from experiments.evaluation.from_model import model_subject
from experiments.evaluation.plan import EvaluationPlan
from experiments.evaluation.ranks import Ranks
from experiments.evaluation.views import named
from experiments.load import pretraining_stamp
from experiments.probes import fit_probe, protocol
from experiments.results import Row, merge_rows
from experiments.runs import reopen
from vjepa.module import VideoJEPA


def probe_online(trainer: Trainer, model: VideoJEPA, plan: EvaluationPlan, ranks: Ranks) -> dict[str, float]:
    """Fit probes on the weights of this step and judge them on validation clips; test clips are never read.

    Processes share the clips through a folder of the run, and each fits the same probes on all of them. A task of which
    no clip has a label is left out.

    Args:
        trainer: of the run, with the data module.
        model: as it is after this step; nothing of it changes.
        plan: protocols, and how many clips.
        ranks: processes of the trainer.

    Returns:
        ``probe/<benchmark>/<probe>/top1`` on validation, the same in every process. Rows of split ``val`` are added to
        the results of the run.

    Raises:
        UserError: no clip of a split can be read, or the encoder has diverged.
    """
    data: ClipDataModule = trainer.datamodule  # type: ignore[attr-defined]
    run = reopen(Path(trainer.default_root_dir))
    subject = model_subject(model, pretraining_stamp(run, model, trainer.global_step), f"step {trainer.global_step}")
    folder = run.folder / "online"
    reads_tokens = any(protocol(name).reads == "tokens" for name in plan.probes)
    sources = []
    for split, limit in (("train", plan.num_train), ("val", plan.num_val)):
        dataset = data.dataset(split)  # type: ignore[arg-type]
        sources.append(
            make_source(
                subject,
                dataset,
                choose_indices(dataset, limit),
                needs_tokens=reads_tokens,
                cache=FeatureCache(folder, DataKey.of(data)) if ranks.world > 1 else None,
                batch_size=plan.clips_at_a_time(data),
                ranks=ranks,
                say=_quiet,
                progress=False,
            )
        )
    names = benchmark_names(data.name, [task.name for task in data.tasks])
    view, values, rows = named(subject.views, "whole"), {}, list[Row]()
    train, val = (source.part(view) for source in sources)
    for name in plan.probes:
        for column, benchmark in enumerate(names):
            # A part of a mixture may be trained on without labels; that is no reason to end a training.
            if not (len(train.of_task(column)) and len(val.of_task(column))):
                continue
            fitted = fit_probe(protocol(name), train, val, column, len(data.tasks[column].classes), model.device)
            values[f"probe/{benchmark}/{name}/top1"] = fitted.val_top1
            lost = num_labelled(data.dataset("val"), val.excluded, column)
            maker = RowMaker(
                subject.stamp,
                benchmark,
                "val",
                name,
                view.name,
                fitted.num_val,
                lost,
                fitted.protocol.hash,
                plan.options,
            )
            rows.append(maker.row("top1", fitted.val_top1))
    ranks.barrier()
    if ranks.is_first:
        merge_rows(run.results, rows)
        shutil.rmtree(folder, ignore_errors=True)
    return values


def _quiet(line: str) -> None:
    """Say nothing: a line at every probe would drown the progress of training."""
