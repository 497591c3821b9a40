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


def stored_probes(
    subject: Subject, data: ClipDataModule, plans: Sequence[EvaluationPlan], cache_folder: Path
) -> tuple[FittedProbe, ...]:
    """The probes of the first plan that was carried out on a subject, one a task; nothing is fitted.

    Args:
        subject: whose probes.
        data: prepared; whose clips they were fitted on.
        plans: each of one protocol on the whole representation.
        cache_folder: of features and probes.

    Returns:
        Probes in the order of the tasks; none where no plan was carried out.
    """
    splits = {split: data.dataset(split) for split in ("train", "val")}  # type: ignore[arg-type]
    for plan in plans:
        limits = {"train": plan.num_train, "val": plan.num_val}
        chosen = {split: choose_indices(clips, limits[split]) for split, clips in splits.items()}
        fitter = ProbeFitter(data, plan, splits, chosen, cache_folder, cache_folder, ALONE, tqdm.write, progress=False)
        if found := fitter.stored(subject):
            return found
    return ()
