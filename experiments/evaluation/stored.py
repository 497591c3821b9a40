"""Probes that an earlier evaluation has left on the shelf."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from data_modules.base import ClipDataModule
from experiments.evaluation.features.reading import choose_indices
from experiments.evaluation.fitting import ProbeFitter
from experiments.evaluation.plan import EvaluationPlan
from experiments.evaluation.ranks import ALONE
from experiments.evaluation.subjects import Subject
from experiments.probes import FittedProbe


def probe_fitter(data: ClipDataModule, plan: EvaluationPlan, cache_folder: Path, progress: bool = False) -> ProbeFitter:
    """A fitter of the probes of a plan, which finds those that were fitted before.

    Args:
        data: prepared; whose clips.
        plan: which probes, on how many clips.
        cache_folder: of features and probes.
        progress: show bars.
    """
    splits = {split: data.dataset(split) for split in ("train", "val")}  # type: ignore[arg-type]
    limits = {"train": plan.num_train, "val": plan.num_val}
    chosen = {split: choose_indices(clips, limits[split]) for split, clips in splits.items()}
    return ProbeFitter(data, plan, splits, chosen, cache_folder, cache_folder, ALONE, tqdm.write, progress)


def stored_probes(
    subject: Subject, data: ClipDataModule, plans: Sequence[EvaluationPlan], cache_folder: Path
) -> tuple[FittedProbe, ...]:
    """Probes of a subject that an earlier evaluation has fitted; nothing is fitted here.

    Args:
        subject: whose probes.
        data: prepared; whose clips they were fitted on.
        plans: of which the first counts that any probe was fitted for.
        cache_folder: of features and probes.

    Returns:
        Those of the first protocol that has any, in the order of the tasks.
    """
    for plan in plans:
        if found := probe_fitter(data, plan, cache_folder).stored(subject):
            return tuple(probe for probe in found if probe.protocol == found[0].protocol)
    return ()
