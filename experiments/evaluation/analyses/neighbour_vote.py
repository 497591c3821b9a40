"""The vote of clean neighbours on clean and on corrupted clips: a probe that is not fitted."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from experiments.evaluation.analyses.base import Found
from experiments.evaluation.analyses.rows import RowMaker, averages, benchmark_of, num_labelled
from experiments.evaluation.conditions import CLEAN, Condition
from experiments.results import Row
from vjepa.corruptions import Profile
from vjepa.metrics import knn_hits


class NeighbourVote:
    """Accuracy for each task that has enough labelled clips; the bank is the clean features of these very clips.

    Args:
        found: what was collected, n clips.
        rows: of the subspace, without a probe.
        clean: (n, d) features.
        k: neighbours; a task with fewer than k + 2 clips is passed over.
    """

    def __init__(self, found: Found, rows: RowMaker, clean: Tensor, k: int) -> None:
        self.clean, self.labels, self.k = clean, found.labels, k
        self.makers: dict[int, RowMaker] = {}
        self.accuracies: dict[int, dict[Condition, float]] = {}
        self.made: list[Row] = []
        for column in range(found.labels.shape[1]):
            n = int((found.labels[:, column] >= 0).sum())
            if n < k + 2:
                continue
            excluded = num_labelled(found.dataset, found.excluded, column)
            self.makers[column] = replace(rows, benchmark=benchmark_of(found, column), n=n, excluded=excluded)
            accuracy = self._accuracy(column, clean)
            self.accuracies[column] = {CLEAN: accuracy}
            self.made.append(self.makers[column].row("knn_top1", accuracy))

    def add(self, corrupted: Tensor, condition: Condition, profile: Profile) -> None:
        """Ask again with the corrupted clips."""
        for column, rows in self.makers.items():
            accuracy = self._accuracy(column, corrupted)
            drop = self.accuracies[column][CLEAN] - accuracy
            self.accuracies[column][condition] = accuracy
            self.made += rows.rows({"knn_top1": accuracy, "knn_drop": drop}, condition, profile.hash)

    def rows(self, profile: Profile) -> list[Row]:
        """Rows of all conditions and the mean drops."""
        made = list(self.made)
        for column, rows in self.makers.items():
            clean = self.accuracies[column][CLEAN]
            drops = {key: clean - value for key, value in self.accuracies[column].items() if key != CLEAN}
            made += rows.summary(averages("knn_drop", drops, profile), profile)
        return made

    def _accuracy(self, column: int, queries: Tensor) -> float:
        applies = self.labels[:, column] >= 0
        labels, here = self.labels[applies, column], applies.to(queries.device)
        hits = knn_hits(queries[here], labels, self.clean[here], labels, self.k, same_clips=True)
        return hits.double().mean().item()
