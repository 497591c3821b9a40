"""The vote of clean neighbours on clean and on corrupted clips: a probe that is not fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from experiments.evaluation.analyses.base import Found
from experiments.evaluation.analyses.rows import RowMaker, averages, benchmark_of, num_labelled
from experiments.evaluation.conditions import CLEAN, Condition
from experiments.results import Row
from vjepa.corruptions import Profile
from vjepa.metrics import Neighbours, vote
from vjepa.metrics.neighbours import Bank


@dataclass(frozen=True, eq=False)
class _Asked:
    """Clips (n,) bool that a task applies to, and their clean features."""

    applies: Tensor
    bank: Bank


class NeighbourVote:
    """Accuracy for each task that has enough labelled clips; the bank is the clean features of these very clips.

    Args:
        found: what was collected, n clips.
        rows: of the subspace, without a probe.
        clean: (n, d) features.
        k: neighbours; a task with fewer than k + 2 clips is passed over.
    """

    def __init__(self, found: Found, rows: RowMaker, clean: Tensor, k: int) -> None:
        self.labels, self.k = found.labels, k
        self.makers: dict[int, RowMaker] = {}
        self.accuracies: dict[int, dict[Condition, float]] = {}
        self.made: list[Row] = []
        banks: dict[bytes, _Asked] = {}
        self.asked: dict[int, _Asked] = {}
        for column in range(found.labels.shape[1]):
            applies = found.labels[:, column] >= 0
            n = int(applies.sum())
            if n < k + 2:
                continue
            excluded = num_labelled(found.dataset, found.excluded, column)
            self.makers[column] = replace(rows, benchmark=benchmark_of(found, column), n=n, excluded=excluded)
            # Tasks that apply to the same clips have the same neighbours.
            same = applies.numpy().tobytes()
            if same not in banks:
                banks[same] = _Asked(applies, Bank(clean[applies.to(clean.device)]))
            self.asked[column] = banks[same]
        for column, accuracy in self._accuracies(clean).items():
            self.accuracies[column] = {CLEAN: accuracy}
            self.made.append(self.makers[column].row("knn_top1", accuracy))

    def add(self, corrupted: Tensor, condition: Condition, profile: Profile) -> None:
        """Ask again with the corrupted clips."""
        for column, accuracy in self._accuracies(corrupted).items():
            drop = self.accuracies[column][CLEAN] - accuracy
            self.accuracies[column][condition] = accuracy
            self.made += self.makers[column].rows({"knn_top1": accuracy, "knn_drop": drop}, condition, profile.hash)

    def rows(self, profile: Profile) -> list[Row]:
        """Rows of all conditions and the mean drops."""
        made = list(self.made)
        for column, rows in self.makers.items():
            clean = self.accuracies[column][CLEAN]
            drops = {key: clean - value for key, value in self.accuracies[column].items() if key != CLEAN}
            made += rows.summary(averages("knn_drop", drops, profile), profile)
        return made

    def _accuracies(self, queries: Tensor) -> dict[int, float]:
        """Of each task."""
        neighbours: dict[int, Neighbours] = {}
        found = {}
        for column, asked in self.asked.items():
            if id(asked) not in neighbours:
                own = queries[asked.applies.to(queries.device)]
                neighbours[id(asked)] = asked.bank.nearest(own, self.k + 1).without_self()
            labels = self.labels[asked.applies, column].to(queries.device)
            said = vote(neighbours[id(asked)], labels, int(labels.max()) + 1).argmax(1)
            found[column] = (said == labels).double().mean().item()
        return found
